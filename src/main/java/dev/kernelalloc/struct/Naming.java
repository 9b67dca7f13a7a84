package dev.kernelalloc.struct;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * How the accessors of an interface are named: as their member, {@code x()} and {@code x(value)};
 * or as JavaBeans and Kotlin's properties are, {@code getX()} or {@code isX()} and {@code
 * setX(value)}. One convention holds for the whole interface.
 *
 * @param plain names that only the first convention gives
 * @param bean names that the second one gives
 */
record Naming(List<String> plain, List<String> bean) {

    private static final String GET = "get";
    private static final String IS = "is";
    private static final String SET = "set";

    /**
     * The convention of an interface.
     *
     * @param readers the names of methods that return a value
     * @param writers the names of methods that take one and return nothing
     */
    static Naming of(Set<String> readers, Set<String> writers) {
        List<String> plain = new ArrayList<>();
        List<String> bean = new ArrayList<>();
        Set<String> names = new LinkedHashSet<>(readers);
        names.addAll(writers);
        for (String name : names) {
            boolean both = readers.contains(name) && writers.contains(name);
            boolean reads = !both && readers.contains(name) && isGetter(name);
            boolean writes = !both && writers.contains(name) && isSetter(name);
            if (!reads && !writes) {
                plain.add(name);
            } else if (writes || name.charAt(prefix(name).length()) != '_') {
                bean.add(name);
            } // else a C member may be named so, is_open or get_page: it follows the others
        }
        return new Naming(plain, bean);
    }

    /** Whether one member was meant by {@code get()} or {@code is()}, and {@code set(value)}. */
    static boolean isOneWithoutName(Set<String> readers, Set<String> writers) {
        boolean isRead =
                readers.contains(GET) && !writers.contains(GET)
                        || readers.contains(IS) && !writers.contains(IS);
        return isRead && writers.contains(SET) && !readers.contains(SET);
    }

    boolean isMixed() {
        return !plain.isEmpty() && !bean.isEmpty();
    }

    /** The name of the member that a method gets or sets. */
    String member(String accessor) {
        if (bean.isEmpty()) {
            return accessor;
        }
        String name = accessor.substring(prefix(accessor).length());
        boolean abbreviation =
                name.length() > 1
                        && Character.isUpperCase(name.charAt(0))
                        && Character.isUpperCase(name.charAt(1));
        return abbreviation ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** Whether a method has the name of a setter, and so needs a getter of another name. */
    boolean needsGetter(String accessor) {
        return !bean.isEmpty() && isSetter(accessor);
    }

    private static boolean isGetter(String name) {
        return prefix(name).equals(GET) || prefix(name).equals(IS);
    }

    private static boolean isSetter(String name) {
        return prefix(name).equals(SET);
    }

    /** Returns get, set or is if the name begins with it, else an empty string. */
    private static String prefix(String name) {
        for (String prefix : List.of(GET, SET, IS)) {
            if (name.length() > prefix.length()
                    && name.startsWith(prefix)
                    && !Character.isLowerCase(name.charAt(prefix.length()))) {
                return prefix;
            }
        }
        return "";
    }
}
