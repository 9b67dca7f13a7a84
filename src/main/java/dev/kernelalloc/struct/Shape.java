package dev.kernelalloc.struct;

import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;

/**
 * A Java type as arrays of something: dimensions that are Java arrays, or indexes of an accessor.
 */
record Shape(Class<?> leaf, Type genericLeaf, int dimensions) {

    static Shape of(Type type, int indexes) {
        int dimensions = indexes;
        Type leaf = type;
        while (true) {
            if (leaf instanceof Class<?> c && c.isArray()) {
                leaf = c.componentType();
            } else if (leaf instanceof GenericArrayType a) {
                leaf = a.getGenericComponentType();
            } else {
                break;
            }
            dimensions++;
        }
        Class<?> raw =
                leaf instanceof Class<?> c
                        ? c
                        : leaf instanceof ParameterizedType p
                                ? (Class<?>) p.getRawType()
                                : Object.class;
        return new Shape(raw, leaf, dimensions);
    }
}
