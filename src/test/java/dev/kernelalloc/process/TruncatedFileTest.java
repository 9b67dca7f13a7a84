package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.NativeString;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.source.MemorySource;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

/** A mapped file that shrinks, in a process of its own, which might not survive it. */
@EnabledOnOs(value = OS.LINUX, disabledReason = "other systems refuse to truncate a mapped file")
class TruncatedFileTest {

    @DisplayName("A compiled comparison with a truncated file throws, and the JVM lives on")
    @ParameterizedTest
    @CsvSource({"NUMBERS, false", "NUMBERS, true", "TEXT, false", "TEXT, true"})
    void comparison_ofTruncatedFile_throwsInternalError(Compared compared, boolean byFirstCompiler)
            throws InterruptedException {
        ChildJvm child = ChildJvm.onClassPath().withNativeAccess();
        if (byFirstCompiler) {
            child.with("-XX:TieredStopAtLevel=1", "-Xbatch");
        }

        ChildJvm.Result result = child.run(Comparing.class, compared.name());

        assertThat(result.output()).contains("threw java.lang.InternalError");
        assertThat(result.exitCode()).as(result.output()).isZero();
    }

    /** The contents of the file. */
    enum Compared {
        NUMBERS,
        TEXT
    }

    /**
     * The child: compares until the comparison is compiled, truncates the file at a page inside of
     * what is compared, and compares again.
     */
    static final class Comparing {

        private static final int LENGTH = 1 << 18;
        private static final int PAGE_BYTES = 1 << 16; // the largest of any processor
        private static final int CALLS = 10_000;

        private Comparing() {}

        public static void main(String[] arguments) throws IOException {
            Path path = Files.createTempFile("truncated", ".bin");
            try (FileChannel file =
                    FileChannel.open(
                            path,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            StandardOpenOption.DELETE_ON_CLOSE)) {
                switch (Compared.valueOf(arguments[0])) {
                    case NUMBERS -> numbers(file);
                    case TEXT -> text(file);
                }
            } catch (InternalError e) {
                System.out.println("threw " + e);
            }
        }

        private static void numbers(FileChannel file) throws IOException {
            try (SharedPrimitiveArray<NativeLongArray> mapped =
                            NativeLongArray.map(file, MapMode.READ_WRITE, 0, LENGTH / Long.BYTES);
                    NativeLongArray lease = mapped.lease();
                    NativeLongArray zeros = NativeLongArray.zeroed(LENGTH / Long.BYTES)) {
                compare(file, PAGE_BYTES, () -> lease.mismatch(zeros) < 0);
            }
        }

        private static void text(FileChannel file) throws IOException {
            AtomicReference<MemorySegment> mapped = new AtomicReference<>();
            MemorySource source =
                    (bytes, alignment, lifetime) -> {
                        MemorySegment range =
                                file.map(MapMode.READ_WRITE, 0, bytes + alignment, lifetime);
                        mapped.set(range);
                        long past = range.address() & alignment - 1;
                        return Optional.of(range.asSlice(past == 0 ? 0 : alignment - past, bytes));
                    };
            PoolAllocator pool = PoolAllocator.builder().source(source).build();
            NativeString text = NativeString.of(pool, "t".repeat(LENGTH));
            NativeString other = NativeString.of("t".repeat(LENGTH));
            long start = text.segment().address() - mapped.get().address();
            long half = start + LENGTH / 2 & -PAGE_BYTES;
            compare(file, half, () -> text.compareTo(other) == 0);
        }

        private static void compare(FileChannel file, long size, BooleanSupplier comparison)
                throws IOException {
            System.out.println(calls(comparison) + " equal");
            file.truncate(size);
            System.out.println(calls(comparison) + " equal");
        }

        private static int calls(BooleanSupplier comparison) {
            int equal = 0;
            for (int i = 0; i < CALLS; i++) {
                equal += comparison.getAsBoolean() ? 1 : 0;
            }
            return equal;
        }
    }
}
