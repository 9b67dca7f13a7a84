package dev.kernelalloc.event;

import jdk.jfr.SettingControl;

import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The size from which large blocks are recorded: a number, or one with k, m or g for powers of
 * 1024. The smallest size of several recordings applies.
 */
public final class LeastBytes extends SettingControl {

    private static final String UNLESS_SET = "1m";
    private static final Pattern NUMBER = Pattern.compile("(\\d{1,10})\\s*([kmgKMG]?)");

    private String value = UNLESS_SET;
    private volatile long bytes = parsed(UNLESS_SET);

    /** Creates the setting, with 1 MiB. */
    public LeastBytes() {}

    /**
     * Returns the size.
     *
     * @return the size in bytes, not negative
     */
    public long bytes() {
        return bytes;
    }

    @Override
    public String combine(Set<String> settings) {
        String least = UNLESS_SET;
        long leastBytes = Long.MAX_VALUE;
        for (String setting : settings) {
            long wanted = parsed(setting);
            if (wanted < leastBytes) {
                least = setting;
                leastBytes = wanted;
            }
        }
        return least;
    }

    @Override
    public void setValue(String settings) {
        value = settings;
        bytes = parsed(settings);
    }

    @Override
    public String getValue() {
        return value;
    }

    /** Falls back to the default for text that is no number: a recorder cannot show an error. */
    private static long parsed(String text) {
        Matcher number = NUMBER.matcher(text.strip());
        if (!number.matches()) {
            return parsed(UNLESS_SET);
        }
        int shift =
                switch (number.group(2)) {
                    case "k", "K" -> 10;
                    case "m", "M" -> 20;
                    case "g", "G" -> 30;
                    default -> 0;
                };
        return Long.parseLong(number.group(1)) << shift;
    }
}
