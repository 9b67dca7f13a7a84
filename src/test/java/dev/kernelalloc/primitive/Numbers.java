package dev.kernelalloc.primitive;

import dev.kernelalloc.KernelAllocator;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Random;

/** The classes of arrays, one for each primitive type, as tests use them all alike. */
enum Numbers {
    BYTE(byte.class, Byte.BYTES) {
        @Override
        PrimitiveArray<?> zeroed(KernelAllocator allocator, long length) {
            return NativeByteArray.zeroed(allocator, length);
        }

        @Override
        PrimitiveArray<?> over(MemorySegment segment) {
            return NativeByteArray.over(segment);
        }

        @Override
        Object any(Random random) {
            return (byte) random.nextInt();
        }

        @Override
        MemorySegment segment(Object array) {
            return MemorySegment.ofArray((byte[]) array);
        }

        @Override
        void sort(Object array) {
            Arrays.sort((byte[]) array);
        }

        @Override
        long search(Object array, Object value) {
            return Arrays.binarySearch((byte[]) array, (byte) value);
        }

        @Override
        Object get(PrimitiveArray<?> numbers, long index) {
            return ((NativeByteArray) numbers).get(index);
        }

        @Override
        void set(PrimitiveArray<?> numbers, long index, Object value) {
            ((NativeByteArray) numbers).set(index, (byte) value);
        }

        @Override
        void fill(PrimitiveArray<?> numbers, Object value) {
            ((NativeByteArray) numbers).fill((byte) value);
        }

        @Override
        long search(PrimitiveArray<?> numbers, Object value) {
            return ((NativeByteArray) numbers).binarySearch((byte) value);
        }

        @Override
        Object toArray(PrimitiveArray<?> numbers) {
            return ((NativeByteArray) numbers).toArray();
        }

        @Override
        Object streamed(PrimitiveArray<?> numbers) {
            int[] ints = ((NativeByteArray) numbers).stream().toArray();
            byte[] bytes = new byte[ints.length];
            for (int i = 0; i < ints.length; i++) {
                bytes[i] = (byte) ints[i];
            }
            return bytes;
        }
    },
    SHORT(short.class, Short.BYTES) {
        @Override
        PrimitiveArray<?> zeroed(KernelAllocator allocator, long length) {
            return NativeShortArray.zeroed(allocator, length);
        }

        @Override
        PrimitiveArray<?> over(MemorySegment segment) {
            return NativeShortArray.over(segment);
        }

        @Override
        Object any(Random random) {
            return (short) random.nextInt();
        }

        @Override
        MemorySegment segment(Object array) {
            return MemorySegment.ofArray((short[]) array);
        }

        @Override
        void sort(Object array) {
            Arrays.sort((short[]) array);
        }

        @Override
        long search(Object array, Object value) {
            return Arrays.binarySearch((short[]) array, (short) value);
        }

        @Override
        Object get(PrimitiveArray<?> numbers, long index) {
            return ((NativeShortArray) numbers).get(index);
        }

        @Override
        void set(PrimitiveArray<?> numbers, long index, Object value) {
            ((NativeShortArray) numbers).set(index, (short) value);
        }

        @Override
        void fill(PrimitiveArray<?> numbers, Object value) {
            ((NativeShortArray) numbers).fill((short) value);
        }

        @Override
        long search(PrimitiveArray<?> numbers, Object value) {
            return ((NativeShortArray) numbers).binarySearch((short) value);
        }

        @Override
        Object toArray(PrimitiveArray<?> numbers) {
            return ((NativeShortArray) numbers).toArray();
        }

        @Override
        Object streamed(PrimitiveArray<?> numbers) {
            int[] ints = ((NativeShortArray) numbers).stream().toArray();
            short[] shorts = new short[ints.length];
            for (int i = 0; i < ints.length; i++) {
                shorts[i] = (short) ints[i];
            }
            return shorts;
        }
    },
    INT(int.class, Integer.BYTES) {
        @Override
        PrimitiveArray<?> zeroed(KernelAllocator allocator, long length) {
            return NativeIntArray.zeroed(allocator, length);
        }

        @Override
        PrimitiveArray<?> over(MemorySegment segment) {
            return NativeIntArray.over(segment);
        }

        @Override
        Object any(Random random) {
            return random.nextInt();
        }

        @Override
        MemorySegment segment(Object array) {
            return MemorySegment.ofArray((int[]) array);
        }

        @Override
        void sort(Object array) {
            Arrays.sort((int[]) array);
        }

        @Override
        long search(Object array, Object value) {
            return Arrays.binarySearch((int[]) array, (int) value);
        }

        @Override
        Object get(PrimitiveArray<?> numbers, long index) {
            return ((NativeIntArray) numbers).get(index);
        }

        @Override
        void set(PrimitiveArray<?> numbers, long index, Object value) {
            ((NativeIntArray) numbers).set(index, (int) value);
        }

        @Override
        void fill(PrimitiveArray<?> numbers, Object value) {
            ((NativeIntArray) numbers).fill((int) value);
        }

        @Override
        long search(PrimitiveArray<?> numbers, Object value) {
            return ((NativeIntArray) numbers).binarySearch((int) value);
        }

        @Override
        Object toArray(PrimitiveArray<?> numbers) {
            return ((NativeIntArray) numbers).toArray();
        }

        @Override
        Object streamed(PrimitiveArray<?> numbers) {
            return ((NativeIntArray) numbers).stream().toArray();
        }
    },
    LONG(long.class, Long.BYTES) {
        @Override
        PrimitiveArray<?> zeroed(KernelAllocator allocator, long length) {
            return NativeLongArray.zeroed(allocator, length);
        }

        @Override
        PrimitiveArray<?> over(MemorySegment segment) {
            return NativeLongArray.over(segment);
        }

        @Override
        Object any(Random random) {
            return random.nextLong();
        }

        @Override
        MemorySegment segment(Object array) {
            return MemorySegment.ofArray((long[]) array);
        }

        @Override
        void sort(Object array) {
            Arrays.sort((long[]) array);
        }

        @Override
        long search(Object array, Object value) {
            return Arrays.binarySearch((long[]) array, (long) value);
        }

        @Override
        Object get(PrimitiveArray<?> numbers, long index) {
            return ((NativeLongArray) numbers).get(index);
        }

        @Override
        void set(PrimitiveArray<?> numbers, long index, Object value) {
            ((NativeLongArray) numbers).set(index, (long) value);
        }

        @Override
        void fill(PrimitiveArray<?> numbers, Object value) {
            ((NativeLongArray) numbers).fill((long) value);
        }

        @Override
        long search(PrimitiveArray<?> numbers, Object value) {
            return ((NativeLongArray) numbers).binarySearch((long) value);
        }

        @Override
        Object toArray(PrimitiveArray<?> numbers) {
            return ((NativeLongArray) numbers).toArray();
        }

        @Override
        Object streamed(PrimitiveArray<?> numbers) {
            return ((NativeLongArray) numbers).stream().toArray();
        }
    },
    FLOAT(float.class, Float.BYTES) {
        @Override
        PrimitiveArray<?> zeroed(KernelAllocator allocator, long length) {
            return NativeFloatArray.zeroed(allocator, length);
        }

        @Override
        PrimitiveArray<?> over(MemorySegment segment) {
            return NativeFloatArray.over(segment);
        }

        @Override
        Object any(Random random) {
            return Float.intBitsToFloat(random.nextInt());
        }

        @Override
        MemorySegment segment(Object array) {
            return MemorySegment.ofArray((float[]) array);
        }

        @Override
        void sort(Object array) {
            Arrays.sort((float[]) array);
        }

        @Override
        long search(Object array, Object value) {
            return Arrays.binarySearch((float[]) array, (float) value);
        }

        @Override
        Object get(PrimitiveArray<?> numbers, long index) {
            return ((NativeFloatArray) numbers).get(index);
        }

        @Override
        void set(PrimitiveArray<?> numbers, long index, Object value) {
            ((NativeFloatArray) numbers).set(index, (float) value);
        }

        @Override
        void fill(PrimitiveArray<?> numbers, Object value) {
            ((NativeFloatArray) numbers).fill((float) value);
        }

        @Override
        long search(PrimitiveArray<?> numbers, Object value) {
            return ((NativeFloatArray) numbers).binarySearch((float) value);
        }

        @Override
        Object toArray(PrimitiveArray<?> numbers) {
            return ((NativeFloatArray) numbers).toArray();
        }

        @Override
        Object streamed(PrimitiveArray<?> numbers) {
            double[] doubles = ((NativeFloatArray) numbers).stream().toArray();
            float[] floats = new float[doubles.length];
            for (int i = 0; i < doubles.length; i++) {
                floats[i] = (float) doubles[i];
            }
            return floats;
        }
    },
    DOUBLE(double.class, Double.BYTES) {
        @Override
        PrimitiveArray<?> zeroed(KernelAllocator allocator, long length) {
            return NativeDoubleArray.zeroed(allocator, length);
        }

        @Override
        PrimitiveArray<?> over(MemorySegment segment) {
            return NativeDoubleArray.over(segment);
        }

        @Override
        Object any(Random random) {
            return Double.longBitsToDouble(random.nextLong());
        }

        @Override
        MemorySegment segment(Object array) {
            return MemorySegment.ofArray((double[]) array);
        }

        @Override
        void sort(Object array) {
            Arrays.sort((double[]) array);
        }

        @Override
        long search(Object array, Object value) {
            return Arrays.binarySearch((double[]) array, (double) value);
        }

        @Override
        Object get(PrimitiveArray<?> numbers, long index) {
            return ((NativeDoubleArray) numbers).get(index);
        }

        @Override
        void set(PrimitiveArray<?> numbers, long index, Object value) {
            ((NativeDoubleArray) numbers).set(index, (double) value);
        }

        @Override
        void fill(PrimitiveArray<?> numbers, Object value) {
            ((NativeDoubleArray) numbers).fill((double) value);
        }

        @Override
        long search(PrimitiveArray<?> numbers, Object value) {
            return ((NativeDoubleArray) numbers).binarySearch((double) value);
        }

        @Override
        Object toArray(PrimitiveArray<?> numbers) {
            return ((NativeDoubleArray) numbers).toArray();
        }

        @Override
        Object streamed(PrimitiveArray<?> numbers) {
            return ((NativeDoubleArray) numbers).stream().toArray();
        }
    };

    final Class<?> type;
    final int bytes;

    Numbers(Class<?> type, int bytes) {
        this.type = type;
        this.bytes = bytes;
    }

    abstract PrimitiveArray<?> zeroed(KernelAllocator allocator, long length);

    abstract PrimitiveArray<?> over(MemorySegment segment);

    /** Returns any number. */
    abstract Object any(Random random);

    /** Returns a Java array as a segment. */
    abstract MemorySegment segment(Object array);

    abstract void sort(Object array);

    abstract long search(Object array, Object value);

    abstract Object get(PrimitiveArray<?> numbers, long index);

    abstract void set(PrimitiveArray<?> numbers, long index, Object value);

    abstract void fill(PrimitiveArray<?> numbers, Object value);

    abstract long search(PrimitiveArray<?> numbers, Object value);

    abstract Object toArray(PrimitiveArray<?> numbers);

    /** Returns the elements as the stream of an array yields them. */
    abstract Object streamed(PrimitiveArray<?> numbers);

    Object javaArray(int length) {
        return Array.newInstance(type, length);
    }

    /** Returns a Java array of numbers, of which at most {@code kinds} differ. */
    Object javaArray(Random random, int length, int kinds) {
        Object values = javaArray(length);
        Object known = javaArray(Math.max(1, kinds));
        for (int i = 0; i < Array.getLength(known); i++) {
            Array.set(known, i, any(random));
        }
        for (int i = 0; i < length; i++) {
            Array.set(values, i, Array.get(known, random.nextInt(Array.getLength(known))));
        }
        return values;
    }

    boolean isFloating() {
        return this == FLOAT || this == DOUBLE;
    }

    /** Returns numbers at the edges of the type. */
    Object edges() {
        return switch (this) {
            case BYTE -> new byte[] {0, 1, -1, Byte.MIN_VALUE, Byte.MAX_VALUE};
            case SHORT -> new short[] {0, 1, -1, Short.MIN_VALUE, Short.MAX_VALUE, 256, -256};
            case INT -> new int[] {0, 1, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, 1 << 16};
            case LONG -> new long[] {0, 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32};
            case FLOAT ->
                    new float[] {
                        0f,
                        -0f,
                        1,
                        -1,
                        Float.NaN,
                        Float.intBitsToFloat(0xFFC00001), // another NaN
                        Float.POSITIVE_INFINITY,
                        Float.NEGATIVE_INFINITY,
                        Float.MIN_VALUE,
                        -Float.MAX_VALUE
                    };
            case DOUBLE ->
                    new double[] {
                        0d,
                        -0d,
                        1,
                        -1,
                        Double.NaN,
                        Double.longBitsToDouble(0xFFF8000000000001L), // another NaN
                        Double.POSITIVE_INFINITY,
                        Double.NEGATIVE_INFINITY,
                        Double.MIN_VALUE,
                        -Double.MAX_VALUE
                    };
        };
    }
}
