package dev.kernelalloc.struct;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Reads the members of an interface from its abstract methods. */
final class InterfaceReader {

    private final Mistakes mistakes;
    private final Class<?> type;
    private final MemberReader members;
    private final AccessorReader accessors;

    InterfaceReader(Mistakes mistakes, Class<?> type, MemberReader members) {
        this.mistakes = mistakes;
        this.type = type;
        this.members = members;
        this.accessors = new AccessorReader(mistakes, type);
    }

    List<MemberDescription> read(boolean union) {
        InterfaceMethods methods = InterfaceMethods.of(type);
        int before = mistakes.count();
        methods.bodies().forEach(this::checkBody);
        List<InheritedMethod> inherited =
                methods.abstractMethods().stream().filter(m -> !repeatsObject(m)).toList();
        inherited.forEach(this::check);
        if (mistakes.count() > before) {
            return List.of();
        }
        List<InheritedMethod> ordinary = new ArrayList<>();
        Map<String, List<Method>> operations = new LinkedHashMap<>();
        for (InheritedMethod method : inherited) {
            Optional<String> member = memberOfOperation(method);
            if (member.isEmpty()) {
                ordinary.add(method);
            } else {
                operations
                        .computeIfAbsent(member.get(), _ -> new ArrayList<>())
                        .addAll(method.isAbstract() ? List.of(method.accessor()) : List.of());
            }
        }
        Map<String, List<InheritedMethod>> groups = groups(ordinary);
        if (mistakes.count() > before) {
            return List.of();
        }
        List<MemberDescription> found = new ArrayList<>();
        groups.forEach(
                (name, group) ->
                        readMember(name, group, operations.getOrDefault(name, List.of()))
                                .ifPresent(found::add));
        operations.forEach(
                (member, all) -> {
                    if (!groups.containsKey(member)) {
                        all.forEach(
                                operation ->
                                        mistakes.add(
                                                type,
                                                operation.getName(),
                                                String.format(
                                                        Locale.ROOT,
                                                        "@Atomic(\"%s\") names no member",
                                                        member)));
                    }
                });
        checkOrder(union, methods.ordered(), found);
        return found;
    }

    private void checkOrder(boolean union, boolean ordered, List<MemberDescription> found) {
        boolean orderMatters =
                !union
                        && found.size() > 1
                        && found.stream().anyMatch(m -> m.offset() == MemberDescription.NO_OFFSET);
        if (!ordered && orderMatters) {
            mistakes.add(
                    type,
                    "the order of its members is not known, because its class file cannot be read;"
                            + " give every member an @Offset, or use a record");
        }
    }

    // ---- single methods -------------------------------------------------------------------------

    /** Refuses the annotations of a member on a method with a body, which describes none. */
    private void checkBody(Method method) {
        if (!method.isBridge()) {
            Declaration.refuseAnnotations(method, type, "has a body", mistakes);
        }
    }

    /** Whether a method redeclares one of Object that cannot be mistaken for an accessor. */
    private static boolean repeatsObject(InheritedMethod inherited) {
        Method method = inherited.accessor();
        boolean repeats =
                switch (method.getName()) {
                    case "toString" ->
                            method.getParameterCount() == 0
                                    && method.getReturnType() == String.class;
                    case "equals" ->
                            Arrays.equals(
                                    method.getParameterTypes(), new Class<?>[] {Object.class});
                    default -> false;
                };
        return repeats
                && inherited.declarations().stream()
                        .allMatch(m -> Declaration.structAnnotations(m).isEmpty());
    }

    private void check(InheritedMethod method) {
        String name = method.name();
        switch (name) {
            case "toString", "hashCode", "equals" ->
                    mistakes.add(type, name, "is a method of every object; choose another name");
            case "asSegment" ->
                    mistakes.add(
                            type,
                            name,
                            "is a method of every view (StructView); choose another name");
            default -> {
                if (name.indexOf('-') >= 0) {
                    mistakes.add(
                            type,
                            name,
                            "has a value class of Kotlin in its signature; use the primitive type");
                } else if (name.endsWith("_$eq")) {
                    mistakes.add(
                            type,
                            name,
                            "is the setter of a var of Scala; write the accessors as methods");
                }
            }
        }
        if (method.isAmbiguous()) {
            mistakes.add(
                    type,
                    name,
                    String.format(
                            Locale.ROOT,
                            "is inherited with a body and without, or with two bodies; override it"
                                    + " in %s",
                            type.getSimpleName()));
        }
        for (Method declaration : method.declarations()) {
            if (hasBodyInKotlin(declaration)) {
                mistakes.add(
                        type,
                        name,
                        String.format(
                                        Locale.ROOT,
                                        "has a body in Kotlin that its class file lacks; compile %s"
                                                + " with",
                                        declaration.getDeclaringClass().getSimpleName())
                                + " -jvm-default=no-compatibility");
            }
        }
    }

    /** Whether the body of an abstract method is elsewhere, as Kotlin keeps those for Java 6. */
    private static boolean hasBodyInKotlin(Method method) {
        if (!Modifier.isAbstract(method.getModifiers())) {
            return false;
        }
        Class<?>[] parameters = new Class<?>[method.getParameterCount() + 1];
        parameters[0] = method.getDeclaringClass();
        System.arraycopy(method.getParameterTypes(), 0, parameters, 1, method.getParameterCount());
        return Arrays.stream(method.getDeclaringClass().getDeclaredClasses())
                .filter(nested -> nested.getSimpleName().equals("DefaultImpls"))
                .flatMap(bodies -> Arrays.stream(bodies.getDeclaredMethods()))
                .anyMatch(
                        body ->
                                Modifier.isStatic(body.getModifiers())
                                        && body.getName().equals(method.getName())
                                        && Arrays.equals(body.getParameterTypes(), parameters));
    }

    private Optional<String> memberOfOperation(InheritedMethod method) {
        Declaration declaration = Declaration.of(method.name(), type, method.declarations());
        Atomic atomic = declaration.find(Atomic.class);
        if (atomic == null) {
            return Optional.empty();
        }
        for (Class<?> annotation : declaration.annotations().keySet()) {
            if (annotation != Atomic.class) {
                mistakes.add(
                        type,
                        method.name(),
                        String.format(
                                Locale.ROOT,
                                "@%s belongs to the accessors of the member, not to an operation",
                                annotation.getSimpleName()));
            }
        }
        for (Class<?> contradiction : declaration.contradictions()) {
            mistakes.add(
                    type,
                    method.name(),
                    "its declarations disagree on @" + contradiction.getSimpleName());
        }
        return Optional.of(atomic.value());
    }

    // ---- members --------------------------------------------------------------------------------

    /** The accessors of each member, by the names of the members, in their order. */
    private Map<String, List<InheritedMethod>> groups(List<InheritedMethod> ordinary) {
        Set<String> readers = names(ordinary, false);
        Set<String> writers = names(ordinary, true);
        if (Naming.isOneWithoutName(readers, writers)) {
            mistakes.add(
                    type,
                    "set",
                    "and get or is would be two members, one read and one written; name both"
                            + " accessors as the member");
            return Map.of();
        }
        Naming naming = Naming.of(readers, writers);
        if (naming.isMixed()) {
            mistakes.add(
                    type,
                    naming.bean().getFirst(),
                    String.format(
                            Locale.ROOT,
                            "is named with get, set or is, and %s is not; name all accessors one"
                                    + " way",
                            naming.plain().getFirst()));
            return Map.of();
        }
        Map<String, List<InheritedMethod>> groups = new LinkedHashMap<>();
        for (InheritedMethod method : ordinary) {
            groups.computeIfAbsent(naming.member(method.name()), _ -> new ArrayList<>())
                    .add(method);
        }
        groups.values().forEach(group -> checkNames(group, naming));
        return groups;
    }

    private static Set<String> names(List<InheritedMethod> methods, boolean writers) {
        return methods.stream()
                .filter(m -> AccessorReader.writes(m.accessor()) == writers)
                .map(InheritedMethod::name)
                .collect(Collectors.toCollection(LinkedHashSet::new));
    }

    /** Checks that a member has one getter, by name, where its accessors have different names. */
    private void checkNames(List<InheritedMethod> group, Naming naming) {
        List<String> getters =
                group.stream()
                        .map(InheritedMethod::name)
                        .filter(name -> !naming.needsGetter(name))
                        .distinct()
                        .toList();
        if (getters.isEmpty()) {
            mistakes.add(
                    type,
                    group.getFirst().name(),
                    "has no getter: a member that is only written is named without set");
        } else if (getters.size() > 1) {
            mistakes.add(
                    type,
                    getters.getFirst(),
                    String.format(
                            Locale.ROOT,
                            "and %s are getters of one member; remove one, or rename it",
                            getters.getLast()));
        }
    }

    private Optional<MemberDescription> readMember(
            String name, List<InheritedMethod> group, List<Method> operations) {
        int before = mistakes.count();
        group.forEach(method -> accessors.checkParameters(method.accessor()));
        if (mistakes.count() > before) {
            return Optional.empty();
        }
        List<Method> typed =
                group.stream()
                        .filter(method -> !method.isBridged())
                        .map(InheritedMethod::accessor)
                        .toList();
        group.stream()
                .filter(InheritedMethod::isBridged)
                .forEach(method -> accessors.checkNarrowed(method, typed));
        if (mistakes.count() > before) {
            return Optional.empty();
        }
        List<Method> declarations =
                group.stream().flatMap(method -> method.declarations().stream()).toList();
        List<Method> generated =
                group.stream()
                        .filter(InheritedMethod::isAbstract)
                        .map(InheritedMethod::accessor)
                        .toList();
        return members.read(Declaration.of(name, type, declarations), AccessorReader.shape(typed))
                .map(member -> member.with(accessors.read(member, typed, generated, operations)));
    }
}
