package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * One member with all its annotations: those of a component and its accessor, or of the accessors
 * of an interface, any of which may carry them. One that a sub-interface gives replaces those of
 * the same kind above it.
 *
 * @param annotations by their types
 * @param contradictions the types of annotations with different values, neither of which is nearer
 */
record Declaration(
        String name, Map<Class<?>, Annotation> annotations, Set<Class<?>> contradictions) {

    /** An annotation and the type that declares it. */
    private record Occurrence(Annotation annotation, Class<?> declaring) {

        boolean isBelow(Occurrence other) {
            return InheritedMethod.isBelow(declaring, other.declaring);
        }
    }

    /**
     * @param struct the declaring type of elements other than methods
     */
    static Declaration of(
            String name, Class<?> struct, List<? extends AnnotatedElement> declarations) {
        Map<Class<?>, List<Occurrence>> byType = new LinkedHashMap<>();
        for (AnnotatedElement declaration : declarations) {
            Class<?> declaring =
                    declaration instanceof java.lang.reflect.Member member
                            ? member.getDeclaringClass()
                            : struct;
            for (Annotation annotation : structAnnotations(declaration)) {
                Class<?> type = annotation.annotationType();
                List<Occurrence> known = byType.get(type);
                if (known == null) {
                    known = new ArrayList<>();
                    byType.put(type, known);
                }
                known.add(new Occurrence(annotation, declaring));
            }
        }
        Map<Class<?>, Annotation> annotations = new LinkedHashMap<>();
        Set<Class<?>> contradictions = new LinkedHashSet<>();
        for (Map.Entry<Class<?>, List<Occurrence>> one : byType.entrySet()) {
            Set<Annotation> nearest = nearest(one.getValue());
            annotations.put(one.getKey(), nearest.iterator().next());
            if (nearest.size() > 1) {
                contradictions.add(one.getKey());
            }
        }
        return new Declaration(name, annotations, contradictions);
    }

    /** Those of one type that none is below, without repetitions. */
    private static Set<Annotation> nearest(List<Occurrence> all) {
        Set<Annotation> nearest = new LinkedHashSet<>();
        for (Occurrence one : all) {
            boolean replaced = false;
            for (Occurrence other : all) {
                replaced |= other.isBelow(one);
            }
            if (!replaced) {
                nearest.add(one.annotation);
            }
        }
        return nearest;
    }

    /** Returns the annotations of this package on an element. */
    static List<Annotation> structAnnotations(AnnotatedElement element) {
        List<Annotation> structAnnotations = new ArrayList<>();
        for (Annotation annotation : element.getAnnotations()) {
            if (annotation.annotationType().getPackage() == StructType.class.getPackage()) {
                structAnnotations.add(annotation);
            }
        }
        return structAnnotations;
    }

    /**
     * Refuses the annotations of a method that describes no member.
     *
     * @param why it describes none, as "has a body"
     */
    static void refuseAnnotations(Method method, Class<?> struct, String why, Mistakes mistakes) {
        for (Annotation annotation : structAnnotations(method)) {
            mistakes.add(
                    struct,
                    method.getName(),
                    String.format(
                            Locale.ROOT,
                            "%s, so its @%s describes no member",
                            why,
                            annotation.annotationType().getSimpleName()));
        }
    }

    <A extends Annotation> @Nullable A find(Class<A> type) {
        Annotation found = annotations.get(type);
        return found == null ? null : type.cast(found);
    }

    boolean has(Class<? extends Annotation> type) {
        return annotations.containsKey(type);
    }
}
