package dev.kernelalloc.cli;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.GsonBuilder;

/**
 * What {@code --json} prints: one object, with the names of a record's components in snake case.
 */
final class Json {

    private Json() {}

    static String of(Record report) {
        return new GsonBuilder()
                .setPrettyPrinting()
                .disableHtmlEscaping()
                .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
                .create()
                .toJson(report);
    }
}
