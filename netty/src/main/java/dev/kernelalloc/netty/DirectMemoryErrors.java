package dev.kernelalloc.netty;

import dev.kernelalloc.AllocationException;

import io.netty.util.internal.OutOfDirectMemoryError;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Turns refusals into the error that Netty's users handle: {@link OutOfDirectMemoryError}. Its
 * constructor is private to Netty's package, which is open to all on the class path; in named
 * modules the error is its superclass, which is what Netty's transports look for.
 */
final class DirectMemoryErrors {

    private static final @Nullable MethodHandle CONSTRUCTOR = constructor();

    private DirectMemoryErrors() {}

    static OutOfMemoryError from(AllocationException refusal) {
        OutOfMemoryError error = ofMessage(String.valueOf(refusal.getMessage()));
        error.initCause(refusal);
        return error;
    }

    private static OutOfMemoryError ofMessage(String message) {
        if (CONSTRUCTOR != null) {
            try {
                return (OutOfDirectMemoryError) CONSTRUCTOR.invokeExact(message);
            } catch (Throwable _) {
                // the Java heap is full as well: the superclass says as much
            }
        }
        return new OutOfMemoryError(message);
    }

    private static @Nullable MethodHandle constructor() {
        try {
            return MethodHandles.privateLookupIn(
                            OutOfDirectMemoryError.class, MethodHandles.lookup())
                    .findConstructor(
                            OutOfDirectMemoryError.class,
                            MethodType.methodType(void.class, String.class));
        } catch (ReflectiveOperationException _) {
            return null;
        }
    }
}
