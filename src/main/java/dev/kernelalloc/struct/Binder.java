package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Modifier;
import java.lang.reflect.RecordComponent;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * One call of {@link StructType#of}: reads and lays out a struct with every struct it contains or
 * points to, reports what is wrong with any of them, and only then generates their classes.
 */
final class Binder {

    private final MethodHandles.Lookup lookup;
    private final Abi abi;
    private final Mistakes mistakes = new Mistakes();

    /** Every struct met, contained ones before those that contain them once they are laid out. */
    private final Map<Class<?>, StructModel> models = new LinkedHashMap<>();

    /** The structs being read, outermost first. */
    private final List<Class<?>> reading = new ArrayList<>();

    /** Laid out, contained structs before those that contain them: the order of linking. */
    private final List<StructModel> placed = new ArrayList<>();

    private final ArrayDeque<Class<?>> targets = new ArrayDeque<>();

    private Binder(MethodHandles.Lookup lookup, Abi abi) {
        this.lookup = lookup;
        this.abi = abi;
    }

    static StructType<?> bind(MethodHandles.Lookup lookup, Class<?> type, Abi abi) {
        Binder binder = new Binder(lookup, abi);
        binder.checkRoot(type);
        binder.mistakes.throwIfAny(type);
        binder.place(type);
        while (!binder.targets.isEmpty()) {
            Class<?> target = binder.targets.remove();
            if (!binder.model(target).isLaidOut()) {
                binder.place(target);
            }
        }
        binder.mistakes.throwIfAny(type);
        for (StructModel model : binder.placed) {
            model.link(ClassGenerator.generate(lookup, model), lookup);
        }
        return binder.model(type).structType();
    }

    // ---- what the reader asks -------------------------------------------------------------------

    /** The layout of a struct that another one contains. */
    Optional<StructModel> nested(Class<?> outer, String member, Class<?> type) {
        if (reading.contains(type)) {
            mistakes.add(
                    outer,
                    member,
                    String.format(
                            Locale.ROOT,
                            "%s contains itself (%s); a Pointer can close the circle",
                            type.getSimpleName(),
                            circle(type)));
            return Optional.empty();
        }
        StructModel model = model(type);
        int levels = reading.size() + (model.isLaidOut() ? model.levels() : 1);
        if (levels > StructModel.MAX_LEVELS) {
            mistakes.add(
                    outer,
                    member,
                    String.format(
                            Locale.ROOT,
                            "%s is nested too deep: levels=%d limit=%d; a Pointer begins anew",
                            type.getSimpleName(),
                            levels,
                            StructModel.MAX_LEVELS));
            return Optional.empty();
        }
        if (!model.isLaidOut()) {
            place(type);
        }
        return model.isLaidOut() ? Optional.of(model) : Optional.empty();
    }

    private String circle(Class<?> type) {
        StringBuilder circle = new StringBuilder();
        for (Class<?> step : reading.subList(reading.indexOf(type), reading.size())) {
            circle.append(step.getSimpleName()).append(" in ");
        }
        return circle.append(type.getSimpleName()).toString();
    }

    /** A struct that another one points to; it is laid out later. */
    StructModel target(Class<?> type) {
        targets.add(type);
        return model(type);
    }

    /**
     * Returns whether the generated class, which is in the package of the lookup class, can name a
     * type.
     */
    boolean canAccess(Class<?> outer, String member, Class<?> type) {
        String obstacle = obstacle(type);
        if (!obstacle.isEmpty()) {
            mistakes.add(outer, member, obstacle);
        }
        return obstacle.isEmpty();
    }

    /** The size of a primitive type in bytes; 0 for any other type. */
    static int bytesOf(Class<?> primitive) {
        return switch (primitive.getName()) {
            case "boolean", "byte" -> 1;
            case "short", "char" -> 2;
            case "int", "float" -> 4;
            case "long", "double" -> 8;
            default -> 0;
        };
    }

    // ---- laying out -----------------------------------------------------------------------------

    private void checkRoot(Class<?> type) {
        if (!lookup.hasFullPrivilegeAccess()) {
            mistakes.add(
                    type,
                    String.format(
                            Locale.ROOT,
                            "the lookup %s cannot define classes; pass MethodHandles.lookup() of a"
                                    + " class that sees the type",
                            lookup));
            return;
        }
        if (!canAccessLibrary()) {
            mistakes.add(
                    type,
                    String.format(
                            Locale.ROOT,
                            "the module %s of %s does not read %s; it needs: requires %s",
                            lookup.lookupClass().getModule().getName(),
                            lookup.lookupClass().getName(),
                            StructType.class.getModule().getName(),
                            StructType.class.getModule().getName()));
            return;
        }
        if (!type.isRecord() && (!type.isInterface() || type.isAnnotation())) {
            mistakes.add(type, "is neither a record nor an interface");
            return;
        }
        if (type == MemorySegment.class) {
            mistakes.add(
                    type,
                    "describes no struct; StructType.of(MemoryLayout) returns structs as segments");
            return;
        }
        String obstacle = obstacle(type);
        if (!obstacle.isEmpty()) {
            mistakes.add(type, obstacle);
        }
    }

    private boolean canAccessLibrary() {
        try {
            return lookup.findClass(StructType.class.getName()) == StructType.class;
        } catch (ClassNotFoundException | IllegalAccessException | LinkageError e) {
            return false;
        }
    }

    private String obstacle(Class<?> type) {
        if (type.isHidden()) {
            return String.format(
                    Locale.ROOT,
                    "%s is a hidden class, which no other class can name",
                    type.getName());
        }
        if (type.isInterface() && type.isSealed()) {
            return String.format(
                    Locale.ROOT,
                    "%s is sealed, so a view cannot implement it",
                    type.getSimpleName());
        }
        if (type.isRecord() && !canConstruct(type)) {
            return String.format(
                    Locale.ROOT,
                    "the constructor of %s is not accessible to %s; pass the lookup of a class that"
                            + " sees it",
                    type.getSimpleName(),
                    lookup.lookupClass().getName());
        }
        try {
            if (lookup.findClass(type.getName()) == type) {
                return "";
            }
            return String.format(
                    Locale.ROOT,
                    "%s is loaded by %s, the lookup class by %s",
                    type.getName(),
                    type.getClassLoader(),
                    lookup.lookupClass().getClassLoader());
        } catch (IllegalAccessException e) {
            return String.format(
                    Locale.ROOT,
                    "%s is not accessible to %s; make it public, or pass the lookup of a class that"
                            + " sees it",
                    type.getName(),
                    lookup.lookupClass().getName());
        } catch (ClassNotFoundException | LinkageError e) {
            return String.format(
                    Locale.ROOT,
                    "%s is not found by the class loader of %s",
                    type.getName(),
                    lookup.lookupClass().getName());
        }
    }

    /**
     * The canonical constructor is as accessible as the record, which a class file cannot fully
     * say.
     */
    private boolean canConstruct(Class<?> record) {
        RecordComponent[] declared = record.getRecordComponents();
        Class<?>[] components = new Class<?>[declared.length];
        for (int i = 0; i < declared.length; i++) {
            components[i] = declared[i].getType();
        }
        int modifiers;
        try {
            modifiers = record.getDeclaredConstructor(components).getModifiers();
        } catch (NoSuchMethodException e) {
            throw new LinkageError("no canonical constructor in " + record, e);
        }
        Class<?> caller = lookup.lookupClass();
        boolean samePackage =
                caller.getPackageName().equals(record.getPackageName())
                        && caller.getClassLoader() == record.getClassLoader();
        return Modifier.isPublic(modifiers)
                || caller.isNestmateOf(record)
                || samePackage && !Modifier.isPrivate(modifiers);
    }

    /** The struct of a type, laid out or not. */
    StructModel model(Class<?> type) {
        StructModel known = models.get(type);
        if (known == null) {
            known = new StructModel(type);
            models.put(type, known);
        }
        return known;
    }

    private void place(Class<?> type) {
        int before = mistakes.count();
        reading.add(type);
        StructDescription description = DescriptionReader.read(this, abi, mistakes, type);
        reading.removeLast();
        if (mistakes.count() > before) {
            return;
        }
        try {
            Layouter.Result result = Layouter.layOut(abi, description, mistakes);
            long accessAlignment = accessAlignment(description, result);
            checkFlexible(description);
            if (mistakes.count() > before) {
                return;
            }
            GroupLayout layout = LayoutBuilder.build(description, result);
            StructModel model = model(type);
            model.place(new StructModel.Placement(result.members(), layout, accessAlignment));
            placed.add(model);
        } catch (ArithmeticException e) {
            mistakes.add(type, "is larger than memory can be: its size overflows a long");
        }
    }

    private void checkFlexible(StructDescription struct) {
        List<MemberDescription> members = struct.members();
        for (int i = 0; i < members.size(); i++) {
            MemberDescription member = members.get(i);
            if (member.flexible() && (struct.union() || i < members.size() - 1)) {
                mistakes.add(
                        struct.type(),
                        member.name(),
                        "only the last member of a struct can be @Flexible");
            } else if (member.flexible() && members.size() == 1) {
                mistakes.add(
                        struct.type(),
                        member.name(),
                        "a @Flexible member needs another in front of it");
            }
        }
    }

    /**
     * Checks that every member with an access mode or an atomic operation is aligned wherever the
     * struct is, and returns the alignment that the struct needs for it.
     */
    private long accessAlignment(StructDescription struct, Layouter.Result result) {
        long needed = 1;
        for (Member member : result.members()) {
            long alignment = accessAlignment(member);
            needed = Math.max(needed, alignment);
            if (!Alignment.isAligned(member.offset(), alignment)
                    || !Alignment.isAligned(result.alignment(), alignment)) {
                mistakes.add(
                        struct.type(),
                        member.name(),
                        String.format(
                                Locale.ROOT,
                                "its access mode needs alignment %d, but it is at offset %d of a"
                                        + " struct of alignment %d",
                                alignment,
                                member.offset(),
                                result.alignment()));
            }
        }
        return needed;
    }

    private static long accessAlignment(Member member) {
        if (member.element() instanceof Element.Nested nested) {
            return nested.model().accessAlignment();
        }
        boolean aligned = member.mode() != MemoryOrder.PLAIN;
        for (Accessor accessor : member.description().accessors()) {
            aligned |= accessor.action() instanceof Accessor.Operation;
        }
        return aligned ? member.element().layout().byteSize() : 1;
    }
}
