package dev.kernelalloc.core;

import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.lang.constant.ConstantDescs;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Objects;

/**
 * Gives every struct type a copy of a container's class.
 *
 * <p>The JIT inlines a call by what it has seen of all its receivers. A container's {@code get}
 * calls the one of its struct type, so in a class that all containers share it would have seen all
 * struct types of the program, and from the third on would inline none: an access then costs a call
 * and an object. In a copy of the class it has seen the one type. The copies are hidden classes,
 * whose final fields the JIT trusts; each dies with its struct type.
 *
 * <p>So a class that is copied makes no object of itself and has no method that takes or returns
 * it, as its name leads to the original.
 */
public final class CopyPerType extends ClassValue<CopyPerType.Copy> {

    private final MethodHandles.Lookup lookup;
    private final Class<?> original;
    private final MethodType constructor;

    /**
     * @param original the class to copy, as it looks itself up
     * @param parameters the parameters of its constructor
     */
    public CopyPerType(MethodHandles.Lookup original, Class<?>... parameters) {
        this.lookup = original;
        this.original = original.lookupClass();
        this.constructor = MethodType.methodType(void.class, parameters);
    }

    /**
     * The constructor of the copy for a type: it takes what the original's takes, and returns an
     * {@code Object}.
     */
    public MethodHandle constructor(StructType<?> type) {
        return get(type.getClass()).constructor(type);
    }

    /**
     * For a class that is copied: the type that it is a copy for, as a constant of its own, which
     * costs the JIT's code neither a load nor a check; null in the original.
     */
    public static @Nullable StructType<?> typeOf(MethodHandles.Lookup copy) {
        try {
            return MethodHandles.classData(copy, ConstantDescs.DEFAULT_NAME, StructType.class);
        } catch (IllegalAccessException e) {
            throw new LinkageError("the data of " + copy, e);
        }
    }

    @Override
    protected Copy computeValue(Class<?> structType) {
        return new Copy();
    }

    /** The copy for one type, made when it is asked for first. */
    final class Copy {

        private volatile @Nullable MethodHandle made;

        private MethodHandle constructor(StructType<?> type) {
            MethodHandle known = made;
            return known != null ? known : make(type);
        }

        /** Types that are known by their layout alone have one class, and share the original. */
        private synchronized MethodHandle make(StructType<?> type) {
            MethodHandle known = made;
            if (known != null) {
                return known;
            }
            try {
                Class<?> copy =
                        type.getClass().isHidden()
                                ? lookup.defineHiddenClassWithClassData(code(), type, false)
                                        .lookupClass()
                                : original;
                known =
                        lookup.findConstructor(copy, constructor)
                                .asType(constructor.changeReturnType(Object.class));
                made = known;
                return known;
            } catch (ReflectiveOperationException | IOException e) {
                throw new LinkageError("copying " + original + " for " + type, e);
            }
        }
    }

    private byte[] code() throws IOException {
        String file = original.getSimpleName() + ".class";
        try (InputStream code = original.getResourceAsStream(file)) {
            return Objects.requireNonNull(code, file).readAllBytes();
        }
    }

    /** A constructor declares what any handle may throw; ours throw no checked exception. */
    public static RuntimeException unchecked(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown instanceof RuntimeException exception) {
            return exception;
        }
        throw new LinkageError("a checked exception out of a constructor", thrown);
    }
}
