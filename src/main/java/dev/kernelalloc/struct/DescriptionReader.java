package dev.kernelalloc.struct;

import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads what a record or an interface says about a struct, and collects all that it says wrongly.
 */
final class DescriptionReader {

    private final Mistakes mistakes;
    private final Class<?> type;
    private final MemberReader members;
    private final AccessorReader accessors;

    private DescriptionReader(Binder binder, Abi abi, Mistakes mistakes, Class<?> type) {
        this.mistakes = mistakes;
        this.type = type;
        this.members =
                new MemberReader(new ElementReader(binder, abi, mistakes, type), mistakes, type);
        this.accessors = new AccessorReader(mistakes, type);
    }

    static StructDescription read(Binder binder, Abi abi, Mistakes mistakes, Class<?> type) {
        return new DescriptionReader(binder, abi, mistakes, type).read();
    }

    private StructDescription read() {
        boolean union = type.isAnnotationPresent(Union.class);
        if (union && type.isRecord()) {
            mistakes.add(
                    type,
                    "a record copies every member, so it cannot be a @Union; use an interface");
        }
        List<MemberDescription> found = type.isRecord() ? readRecord() : readInterface(union);
        if (found.isEmpty() && mistakes.count() == 0) {
            mistakes.add(type, "has no members; a C struct has at least one");
        }
        Struct struct = type.getAnnotation(Struct.class);
        if (struct == null) {
            return new StructDescription(type, union, false, 1, 0, found);
        }
        long alignment = struct.align() == 0 ? 1 : struct.align();
        if (Long.bitCount(alignment) != 1 || alignment < 0) {
            mistakes.add(type, "@Struct(align = %d) is no power of two".formatted(alignment));
        }
        if (struct.size() < 0) {
            mistakes.add(type, "@Struct(size = %d) is negative".formatted(struct.size()));
        }
        return new StructDescription(type, union, struct.packed(), alignment, struct.size(), found);
    }

    // ---- records --------------------------------------------------------------------------------

    private List<MemberDescription> readRecord() {
        List<MemberDescription> found = new ArrayList<>();
        for (RecordComponent declared : type.getRecordComponents()) {
            Declaration component = Declaration.of(declared.getName(), List.of(declared));
            Shape shape = Shape.of(declared.getGenericType(), 0);
            if (component.has(Flexible.class)) {
                mistakes.add(
                        type,
                        component.name(),
                        "a record cannot copy a flexible array, whose length is not its own; use an"
                                + " interface");
            }
            Optional<MemberDescription> member = members.read(component, shape);
            member.ifPresent(found::add);
            if (member.isPresent() && !member.get().fitsInJavaArrays()) {
                mistakes.add(type, component.name(), MemberDescription.TOO_LONG_TO_COPY);
            }
        }
        return found;
    }

    // ---- interfaces -----------------------------------------------------------------------------

    private List<MemberDescription> readInterface(boolean union) {
        Optional<List<Method>> declared = DeclarationOrder.abstractMethods(type);
        List<Method> methods = declared.orElseGet(() -> DeclarationOrder.unordered(type));
        Map<String, List<Method>> groups = new LinkedHashMap<>();
        List<Method> operations = new ArrayList<>();
        for (Method method : methods) {
            if (method.isAnnotationPresent(Atomic.class)) {
                operations.add(method);
            } else {
                groups.computeIfAbsent(method.getName(), _ -> new ArrayList<>()).add(method);
            }
        }
        List<MemberDescription> found = new ArrayList<>();
        groups.forEach((name, group) -> readMember(name, group, operations).ifPresent(found::add));
        for (Method operation : operations) {
            String member = operation.getAnnotation(Atomic.class).value();
            if (!groups.containsKey(member)) {
                mistakes.add(
                        type,
                        operation.getName(),
                        "@Atomic(\"%s\") names no member".formatted(member));
            }
        }
        boolean orderMatters =
                !union
                        && found.size() > 1
                        && found.stream().anyMatch(m -> m.offset() == MemberDescription.NO_OFFSET);
        if (declared.isEmpty() && orderMatters) {
            mistakes.add(
                    type,
                    "the order of its members is not known, because its class file cannot be read;"
                            + " give every member an @Offset, or use a record");
        }
        return found;
    }

    private Optional<MemberDescription> readMember(
            String name, List<Method> group, List<Method> operations) {
        if (name.equals("asSegment") && group.stream().anyMatch(m -> m.getParameterCount() == 0)) {
            mistakes.add(type, name, "is a method of every view (StructView); choose another name");
            return Optional.empty();
        }
        int before = mistakes.count();
        group.forEach(accessors::checkParameters);
        if (mistakes.count() > before) {
            return Optional.empty();
        }
        return members.read(Declaration.of(name, group), AccessorReader.shape(group))
                .map(member -> member.with(accessors.read(member, group, operations)));
    }
}
