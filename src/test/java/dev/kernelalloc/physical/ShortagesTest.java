package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.FileInputStream;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What is short for a moment is a refusal of this moment, and never a property of the host. */
@EnabledOnOs(OS.LINUX)
class ShortagesTest {

    @Test
    @DisplayName("An allocator that is made without a file descriptor left sees addresses later")
    void shortOfFiles_ofAMoment_isForgotten() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(LinuxProcess.seesFrames(), "skipped: frame numbers are hidden");
                    assumeTrue(
                            ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
                    ChildJvm.Result result =
                            ChildJvm.onModulePath()
                                    .under("prlimit", "--nofile=256")
                                    .withNativeAccess()
                                    .run(ShortOfFiles.class);
                    assertThat(result.exitCode()).as(result.output()).isZero();
                    assertThat(result.output())
                            .contains(
                                    "while short: address UNREADABLE",
                                    "while short: contiguous SHORTAGE")
                            .contains(
                                    "while short: secret SHORTAGE",
                                    "while short: verify NOT_VERIFIABLE")
                            .contains("afterwards: address known", "afterwards: verify CONFIRMED")
                            .contains(
                                    "afterwards: contiguous known", "afterwards: secret as before")
                            .contains("afterwards: scope as of others true");
                });
    }

    static final class ShortOfFiles {

        private ShortOfFiles() {}

        static void main() throws Exception {
            loadEverything();
            boolean hidden;
            try (PhysicalAllocator before = PhysicalAllocator.create();
                    SecretMemory secret = SecretMemory.allocate(32)) {
                before.free(before.allocate(64, 64));
                hidden = secret.toString().contains("hidden");
            }
            List<FileInputStream> files = new ArrayList<>();
            try {
                while (true) {
                    files.add(new FileInputStream("/dev/null"));
                }
            } catch (IOException none) {
                IO.println(files.size() + " files");
            }
            PhysicalAllocator physical = PhysicalAllocator.create();
            MemorySegment block = physical.allocate(64, 64);
            List<String> found = new ArrayList<>();
            found.add("address " + address(physical, block));
            found.add("verify " + physical.verify().verdict());
            found.add("contiguous " + contiguous(physical));
            found.add("secret " + secret(hidden));
            for (FileInputStream file : files) {
                file.close();
            }
            found.forEach(line -> IO.println("while short: " + line));
            IO.println("afterwards: address " + address(physical, block));
            IO.println("afterwards: verify " + physical.verify().verdict());
            IO.println("afterwards: contiguous " + contiguous(physical));
            IO.println("afterwards: secret " + secret(hidden));
            try (PhysicalAllocator other = PhysicalAllocator.create()) {
                MemorySegment others = other.allocate(64, 64);
                IO.println(
                        "afterwards: scope as of others "
                                + other.addressOf(others)
                                        .scope()
                                        .equals(physical.addressOf(block).scope()));
                other.free(others);
            }
            physical.free(block);
            physical.close();
        }

        /** A class is a file: there is none left to load one later. */
        private static void loadEverything() throws Exception {
            Path classes =
                    Path.of(
                            ShortOfFiles.class
                                    .getModule()
                                    .getLayer()
                                    .configuration()
                                    .findModule("dev.kernelalloc")
                                    .orElseThrow()
                                    .reference()
                                    .location()
                                    .orElseThrow());
            try (Stream<Path> files = Files.walk(classes)) {
                for (Path file : files.toList()) {
                    String name = classes.relativize(file).toString();
                    if (name.startsWith("dev/") && name.endsWith(".class")) {
                        Class.forName(
                                name.replace('/', '.').substring(0, name.length() - 6),
                                false,
                                ShortOfFiles.class.getClassLoader());
                    }
                }
            }
        }

        private static String address(PhysicalAllocator physical, MemorySegment block) {
            try {
                return physical.addressOf(block).value() > 0 ? "known" : "0";
            } catch (PhysicalAddressException e) {
                return e.reason().name();
            }
        }

        private static String contiguous(PhysicalAllocator physical) {
            try {
                MemorySegment block =
                        physical.allocate(PhysicalRequest.ofBytes(64 << 10).contiguous().build());
                String known = address(physical, block);
                physical.free(block);
                return known;
            } catch (AllocationException e) {
                return e.reason() + " " + e.getMessage();
            }
        }

        private static String secret(boolean hidden) {
            try (SecretMemory secret = SecretMemory.allocate(32)) {
                return secret.toString().contains("hidden") == hidden ? "as before" : "weaker";
            } catch (AllocationException e) {
                return e.reason() + " " + e.getMessage();
            }
        }
    }

    @Test
    @DisplayName("Where all new mappings are locked, the lock limit is the reason and its remedy")
    void mlockall_overTheLimit_namesTheLockLimit() throws Exception {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under("prlimit", "--memlock=" + (8 << 20))
                        .unprivileged()
                        .withNativeAccess()
                        .with("-Xmx32m", "-XX:+UseSerialGC", "-Xint")
                        .run(LockAllThatComes.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .containsPattern("pool: LOCK_LIMIT .*ulimit -l")
                .containsPattern("system heap: LOCK_LIMIT .*ulimit -l")
                .containsPattern("locked: LOCK_LIMIT .*ulimit -l")
                .containsPattern("resident: LOCK_LIMIT .*ulimit -l")
                .contains("new mappings are locked (mlockall)");
    }

    static final class LockAllThatComes {

        private static final int MCL_FUTURE = 2;
        private static final long TOO_MUCH_BYTES = 64 << 20;
        private static final long ANY_LIMIT_BYTES = 1L << 50;

        private LockAllThatComes() {}

        @SuppressWarnings("restricted")
        static void main() throws Throwable {
            PoolAllocator pool = PoolAllocator.create();
            pool.free(pool.allocate(64, 8));
            PhysicalAllocator physical = PhysicalAllocator.create();
            physical.free(physical.allocate(64, 8));
            ask(
                    pool,
                    physical,
                    ANY_LIMIT_BYTES); // loads what a refusal needs: then no mapping is left
            Linker linker = Linker.nativeLinker();
            var mlockall =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("mlockall"),
                            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
            if ((int) mlockall.invokeExact(MCL_FUTURE) != 0) {
                throw new AssertionError("mlockall");
            }
            ask(pool, physical, TOO_MUCH_BYTES);
        }

        private static void ask(PoolAllocator pool, PhysicalAllocator physical, long bytes) {
            refused("pool", () -> pool.allocate(bytes, 8));
            refused("system heap", () -> PoolAllocator.systemHeap().allocate(bytes, 8));
            refused("locked", () -> physical.allocate(bytes, 8));
            refused(
                    "resident",
                    () ->
                            physical.allocate(
                                    PhysicalRequest.ofBytes(bytes)
                                            .atLeast(Guarantee.IN_MEMORY)
                                            .build()));
        }

        private static void refused(String what, Runnable request) {
            try {
                request.run();
                IO.println(what + ": not refused");
            } catch (AllocationException e) {
                IO.println(what + ": " + e.reason() + " " + e.getMessage());
            }
        }
    }
}
