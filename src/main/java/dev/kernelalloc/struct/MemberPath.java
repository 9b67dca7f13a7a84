package dev.kernelalloc.struct;

import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A way to a member, written {@code "points[3].x"}, followed from the struct inwards. */
final class MemberPath {

    private static final Pattern STEP =
            Pattern.compile("(?<name>[^.\\[\\]]+)(?<indexes>(\\[\\d*\\])*)");
    private static final Pattern INDEX = Pattern.compile("\\[(\\d*)\\]");

    private final StructModel root;
    private final String path;
    private final List<PathElement> elements = new ArrayList<>();

    /** The member it leads to, and how many of its dimensions have an index. */
    private Member member;

    private int indexes;

    /** From the start of the root to the value, in bytes; open indexes count as 0. */
    private long offset;

    private boolean open;

    MemberPath(StructModel root, String path) {
        this.root = root;
        this.path = path;
        StructModel struct = root;
        for (String step : path.split("\\.", -1)) {
            if (struct == null) {
                throw wrong(member.name() + " has no members");
            }
            Matcher matcher = STEP.matcher(step);
            if (!matcher.matches()) {
                throw wrong("\"" + step + "\" is not written name[index]");
            }
            step(struct, matcher.group("name"), matcher.group("indexes"));
            struct =
                    indexes == member.lengths().length
                                    && member.element() instanceof Element.Nested nested
                            ? nested.model()
                            : null;
        }
    }

    private void step(StructModel struct, String name, String indexText) {
        member =
                struct.members().stream()
                        .filter(m -> m.name().equals(name))
                        .findFirst()
                        .orElseThrow(
                                () ->
                                        wrong(
                                                String.format(
                                                        Locale.ROOT,
                                                        "%s has no member %s",
                                                        struct.name(),
                                                        name)));
        offset += member.offset();
        elements.add(PathElement.groupElement(name));
        indexes = 0;
        Matcher index = INDEX.matcher(indexText);
        while (index.find()) {
            if (indexes == member.lengths().length) {
                throw wrong(String.format(Locale.ROOT, "%s has %d dimension(s)", name, indexes));
            }
            addIndex(index.group(1));
        }
    }

    private void addIndex(String text) {
        long length = member.lengths()[indexes];
        if (text.isEmpty()) {
            open = true;
            elements.add(PathElement.sequenceElement());
        } else {
            long index = Long.parseLong(text);
            if (index >= length) {
                throw wrong(
                        String.format(
                                Locale.ROOT,
                                "index %d of %s is not below %d",
                                index,
                                member.name(),
                                length));
            }
            offset += index * member.stride(indexes);
            elements.add(PathElement.sequenceElement(index));
        }
        indexes++;
    }

    VarHandle varHandle() {
        if (member.bits() > 0 || member.element() instanceof Element.Characters) {
            throw wrong(
                    String.format(
                            Locale.ROOT,
                            "java.lang.invoke offers no VarHandle for %s; use getter and setter",
                            member.bits() > 0 ? "a bit-field" : "a string"));
        }
        return root.layout().varHandle(elements.toArray(PathElement[]::new));
    }

    MethodHandle getter() {
        MethodHandle getter = codec().getter();
        return at(getter).asType(getter.type().changeReturnType(valueType()));
    }

    MethodHandle setter() {
        MethodHandle setter = codec().setter();
        return at(setter).asType(setter.type().changeParameterType(2, valueType()));
    }

    private Codec codec() {
        if (open) {
            throw wrong("has an open index; only varHandle takes one");
        }
        if (indexes == member.lengths().length) {
            return Codec.ofElement(member);
        }
        if (indexes == 0 && !member.flexible()) {
            return Codec.ofArray(member);
        }
        throw wrong("leads to a part of the array " + member.name());
    }

    private Class<?> valueType() {
        Class<?> type = member.element().carrier();
        for (int i = indexes; i < member.lengths().length; i++) {
            type = type.arrayType();
        }
        return type;
    }

    /** The same handle, with an offset that is the start of the root. */
    private MethodHandle at(MethodHandle access) {
        MethodHandle add = MethodHandles.insertArguments(Sum.HANDLE, 0, offset);
        return MethodHandles.filterArguments(access, 1, add);
    }

    private IllegalArgumentException wrong(String why) {
        return new IllegalArgumentException(
                String.format(Locale.ROOT, "path \"%s\" in %s: %s", path, root.name(), why));
    }

    /** {@link Math#addExact(long, long)}. */
    private static final class Sum {

        static final MethodHandle HANDLE;

        static {
            try {
                HANDLE =
                        MethodHandles.lookup()
                                .findStatic(
                                        Math.class,
                                        "addExact",
                                        java.lang.invoke.MethodType.methodType(
                                                long.class, long.class, long.class));
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }
    }
}
