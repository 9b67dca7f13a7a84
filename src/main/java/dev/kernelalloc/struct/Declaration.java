package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedElement;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * One member with all its annotations: those of a component, or of the accessors of an interface,
 * any of which may carry them.
 */
record Declaration(String name, Set<Annotation> annotations) {

    static Declaration of(String name, List<? extends AnnotatedElement> declarations) {
        Set<Annotation> annotations = new LinkedHashSet<>();
        for (AnnotatedElement declaration : declarations) {
            annotations.addAll(Arrays.asList(declaration.getAnnotations()));
        }
        return new Declaration(name, annotations);
    }

    <A extends Annotation> @Nullable A find(Class<A> type) {
        for (Annotation annotation : annotations) {
            if (annotation.annotationType() == type) {
                return type.cast(annotation);
            }
        }
        return null;
    }

    boolean has(Class<? extends Annotation> type) {
        return find(type) != null;
    }

    /** The annotations of this package that stand there twice, with different values. */
    Set<Class<?>> contradictions() {
        Set<Class<?>> once = new HashSet<>();
        Set<Class<?>> twice = new LinkedHashSet<>();
        for (Annotation annotation : annotations) {
            Class<?> type = annotation.annotationType();
            if (type.getPackage() == StructType.class.getPackage() && !once.add(type)) {
                twice.add(type);
            }
        }
        return twice;
    }
}
