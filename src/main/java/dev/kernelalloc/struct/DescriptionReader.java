package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.Alignment;

import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Reads the description of a struct from a record or an interface, and collects all its mistakes.
 */
final class DescriptionReader {

    private final Mistakes mistakes;
    private final Class<?> type;
    private final MemberReader members;

    private DescriptionReader(Binder binder, Abi abi, Mistakes mistakes, Class<?> type) {
        this.mistakes = mistakes;
        this.type = type;
        this.members =
                new MemberReader(new ElementReader(binder, abi, mistakes, type), mistakes, type);
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
        for (Class<?> parent : InterfaceMethods.hierarchy(type)) {
            checkInherited(parent);
        }
        List<MemberDescription> found =
                type.isRecord()
                        ? readRecord()
                        : new InterfaceReader(mistakes, type, members).read(union);
        if (found.isEmpty() && mistakes.count() == 0) {
            mistakes.add(type, "has no members; a C struct has at least one");
        }
        Struct struct = type.getAnnotation(Struct.class);
        if (struct == null) {
            return new StructDescription(type, union, false, 1, 0, found);
        }
        long alignment = struct.align() == 0 ? 1 : struct.align();
        if (!Alignment.isPowerOfTwo(alignment)) {
            mistakes.add(
                    type,
                    String.format(
                            Locale.ROOT, "@Struct(align = %d) is no power of two", alignment));
        }
        if (struct.size() < 0) {
            mistakes.add(
                    type,
                    String.format(Locale.ROOT, "@Struct(size = %d) is negative", struct.size()));
        }
        return new StructDescription(type, union, struct.packed(), alignment, struct.size(), found);
    }

    /** Refuses a super-interface whose annotations of the whole struct are not repeated. */
    private void checkInherited(Class<?> parent) {
        if (parent.isAnnotationPresent(Union.class) && !type.isAnnotationPresent(Union.class)) {
            mistakes.add(
                    type,
                    String.format(
                            Locale.ROOT,
                            "extends the @Union %s, and is none; hold it as a member instead",
                            parent.getSimpleName()));
        }
        Struct theirs = parent.getAnnotation(Struct.class);
        Struct ours = type.getAnnotation(Struct.class);
        if (theirs == null) {
            return;
        }
        boolean keeps =
                ours != null
                        && ours.packed() == theirs.packed()
                        && ours.order() == theirs.order()
                        && ours.align() >= theirs.align()
                        && ours.size() >= theirs.size();
        if (!keeps) {
            mistakes.add(
                    type,
                    String.format(
                            Locale.ROOT,
                            "extends %s, whose @Struct is not inherited; repeat it",
                            parent.getSimpleName()));
        }
    }

    // ---- records --------------------------------------------------------------------------------

    private List<MemberDescription> readRecord() {
        List<MemberDescription> found = new ArrayList<>();
        checkMethods(type.getRecordComponents());
        for (RecordComponent declared : type.getRecordComponents()) {
            Declaration component = declaration(declared);
            Shape shape = Shape.of(declared.getGenericType(), 0);
            if (component.has(Flexible.class)) {
                mistakes.add(
                        type,
                        component.name(),
                        "a record cannot copy a flexible array, whose length is not its own; use an"
                                + " interface");
            }
            Optional<MemberDescription> member = members.read(component, shape);
            if (member.isPresent()) {
                found.add(member.get());
                if (!member.get().fitsInJavaArrays()) {
                    mistakes.add(type, component.name(), MemberDescription.TOO_LONG_TO_COPY);
                }
            }
        }
        return found;
    }

    /** A component with its accessor, and with what the record's interfaces say of that. */
    private Declaration declaration(RecordComponent component) {
        List<AnnotatedElement> declarations = new ArrayList<>(List.of(component));
        for (Class<?> declaring : InterfaceMethods.hierarchy(type)) {
            for (Method method : declaring.getDeclaredMethods()) {
                if (isAccessor(method, component)) {
                    declarations.add(method);
                }
            }
        }
        return Declaration.of(component.getName(), type, declarations);
    }

    private static boolean isAccessor(Method method, RecordComponent... components) {
        for (RecordComponent component : components) {
            if (method.getName().equals(component.getName()) && method.getParameterCount() == 0) {
                return true;
            }
        }
        return false;
    }

    private void checkMethods(RecordComponent[] components) {
        for (Method method : type.getDeclaredMethods()) {
            if (!isAccessor(method, components)) {
                Declaration.refuseAnnotations(method, type, "is no component", mistakes);
            }
        }
    }
}
