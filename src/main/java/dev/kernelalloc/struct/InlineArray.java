package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.util.Locale;
import java.util.Objects;

/**
 * One dimension of an inline array, copied to and from a Java array.
 *
 * @param member the name of the member, for messages
 * @param length in elements
 * @param stride from one element to the next, in bytes
 * @param newArray makes a Java array of a length: {@code (int)Object}
 * @param values how a run of elements is copied
 */
record InlineArray(String member, int length, long stride, MethodHandle newArray, Values values) {

    /** Copies elements between memory and a Java array of their type. */
    sealed interface Values {

        void load(MemorySegment segment, long offset, Object array, InlineArray shape);

        void store(MemorySegment segment, long offset, Object array, InlineArray shape);
    }

    /**
     * Elements with the bits of a Java primitive other than {@code boolean}: copied in one piece.
     */
    record Bulk(ValueLayout layout) implements Values {

        @Override
        public void load(MemorySegment segment, long offset, Object array, InlineArray shape) {
            BulkMemory.copy(segment, layout, offset, array, shape.length);
        }

        @Override
        public void store(MemorySegment segment, long offset, Object array, InlineArray shape) {
            BulkMemory.copy(array, shape.length, segment, layout, offset);
        }
    }

    /**
     * Elements that are copied one by one.
     *
     * @param load {@code (MemorySegment, long offset, array, int index)void}
     * @param store {@code (MemorySegment, long offset, array, int index)void}
     */
    record Single(MethodHandle load, MethodHandle store) implements Values {

        static Single of(Codec element, Class<?> arrayType) {
            // (array, index, value)void  ->  (segment, offset, array, index)void
            MethodHandle put = MethodHandles.arrayElementSetter(arrayType);
            MethodHandle get = MethodHandles.arrayElementGetter(arrayType);
            Class<?> component = arrayType.componentType();
            MethodHandle read =
                    element.getter().asType(element.getter().type().changeReturnType(component));
            MethodHandle write =
                    element.setter()
                            .asType(element.setter().type().changeParameterType(2, component));
            MethodHandle load = MethodHandles.collectArguments(put, 2, read);
            load = MethodHandles.permuteArguments(load, Codec.arrayStep(arrayType), 2, 3, 0, 1);
            MethodHandle store = MethodHandles.collectArguments(write, 2, get);
            return new Single(erase(load), erase(store));
        }

        private static MethodHandle erase(MethodHandle step) {
            return step.asType(Codec.arrayStep(Object.class));
        }

        @Override
        public void load(MemorySegment segment, long offset, Object array, InlineArray shape) {
            try {
                for (int i = 0; i < shape.length; i++) {
                    load.invokeExact(segment, offset + i * shape.stride, array, i);
                }
            } catch (Throwable e) {
                throw Codec.unchecked(e);
            }
        }

        @Override
        public void store(MemorySegment segment, long offset, Object array, InlineArray shape) {
            try {
                for (int i = 0; i < shape.length; i++) {
                    store.invokeExact(segment, offset + i * shape.stride, array, i);
                }
            } catch (Throwable e) {
                throw Codec.unchecked(e);
            }
        }
    }

    Object get(MemorySegment segment, long offset) {
        Object array;
        try {
            array = newArray.invokeExact(length);
        } catch (Throwable e) {
            throw Codec.unchecked(e);
        }
        values.load(segment, offset, array, this);
        return array;
    }

    void set(MemorySegment segment, long offset, Object value) {
        int given = lengthOf(Objects.requireNonNull(value, member));
        if (given != length) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s: %d elements passed, its length is %d",
                            member,
                            given,
                            length));
        }
        values.store(segment, offset, value, this);
    }

    private static int lengthOf(Object array) {
        return switch (array) {
            case boolean[] a -> a.length;
            case byte[] a -> a.length;
            case short[] a -> a.length;
            case char[] a -> a.length;
            case int[] a -> a.length;
            case long[] a -> a.length;
            case float[] a -> a.length;
            case double[] a -> a.length;
            case Object[] a -> a.length;
            default -> throw new ClassCastException(array.getClass().getName());
        };
    }
}
