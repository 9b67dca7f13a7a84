package dev.kernelalloc.testing.host;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks tests that change the machine they run on, and change it back. They run with the Maven
 * profile {@code host}, as root, on Linux, when the environment says {@code
 * KERNELALLOC_HOST_TESTS=this-machine-is-mine}; anywhere else they are skipped, with the reason.
 * One process of the machine runs them at a time: it holds a lock file for the marked class or
 * test.
 *
 * <p>What they change they change through a {@link HostGuardian}.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Tag("host")
@ExtendWith(HostPermission.class)
public @interface HostTest {}
