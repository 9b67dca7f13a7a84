package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.Locale;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * The constants of an enum with the integers that represent them in memory.
 *
 * @param values ascending
 * @param constants in the order of their values
 * @param valueOf the value of the constant at each ordinal
 */
record EnumTable(Class<?> type, long[] values, Object[] constants, long[] valueOf) {

    /**
     * Reads the values of an enum.
     *
     * @param range the values that memory can hold
     * @param mistakes receives every value that is missing, taken or out of range
     * @return empty if there was a mistake
     */
    static Optional<EnumTable> of(Class<?> type, IntegerRange range, Consumer<String> mistakes) {
        Object[] declared = type.getEnumConstants();
        long[] valueOf = new long[declared.length];
        NavigableMap<Long, Object> byValue = new TreeMap<>();
        boolean right = true;
        for (Object constant : declared) {
            String name = ((Enum<?>) constant).name();
            EnumValue value = annotation(type, name);
            if (value == null) {
                mistakes.accept(
                        String.format(
                                Locale.ROOT,
                                "%s.%s has no @EnumValue",
                                type.getSimpleName(),
                                name));
                right = false;
                continue;
            }
            valueOf[((Enum<?>) constant).ordinal()] = value.value();
            Object other = byValue.put(value.value(), constant);
            if (other != null) {
                mistakes.accept(
                        String.format(
                                Locale.ROOT,
                                "%s.%s and %s have the same value %d",
                                type.getSimpleName(),
                                other,
                                name,
                                value.value()));
                right = false;
            }
            if (!range.contains(value.value())) {
                mistakes.accept(
                        String.format(
                                Locale.ROOT,
                                "%s.%s = %d does not fit in %d %s bits",
                                type.getSimpleName(),
                                name,
                                value.value(),
                                range.bits(),
                                range.signed() ? "signed" : "unsigned"));
                right = false;
            }
        }
        long[] values = byValue.keySet().stream().mapToLong(Long::longValue).toArray();
        return right
                ? Optional.of(new EnumTable(type, values, byValue.values().toArray(), valueOf))
                : Optional.empty();
    }

    private static @Nullable EnumValue annotation(Class<?> type, String constant) {
        try {
            return type.getField(constant).getAnnotation(EnumValue.class);
        } catch (NoSuchFieldException e) {
            throw new LinkageError(type + "." + constant, e);
        }
    }

    Object constant(long value) {
        int index = Arrays.binarySearch(values, value);
        if (index < 0) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "%s has no constant for the value %d in memory",
                            type.getTypeName(),
                            value));
        }
        return constants[index];
    }

    long value(Object constant) {
        return valueOf[((Enum<?>) constant).ordinal()];
    }

    /** Returns the constant, or reports the number that has none. */
    String show(long value) {
        int index = Arrays.binarySearch(values, value);
        return index < 0 ? Long.toString(value) : constants[index].toString();
    }
}
