package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A mapped file that shrinks, in a process of its own, which might not survive it. */
@EnabledOnOs(value = OS.LINUX, disabledReason = "other systems refuse to truncate a mapped file")
class TruncatedFileTest {

    @DisplayName("A compiled comparison with a truncated file throws, and the JVM lives on")
    @Test
    void mismatch_ofTruncatedFile_throwsInternalError() throws InterruptedException {
        ChildJvm.Result result = ChildJvm.onClassPath().withNativeAccess().run(Comparing.class);
        assertThat(result.output()).contains("threw java.lang.InternalError");
        assertThat(result.exitCode()).as(result.output()).isZero();
    }

    /** The child: compares until the comparison is compiled, truncates, and compares again. */
    static final class Comparing {

        private static final int LENGTH = 1 << 10;
        private static final int CALLS = 30_000;

        private Comparing() {}

        public static void main(String[] arguments) throws IOException {
            Path path = Files.createTempFile("truncated", ".bin");
            try (FileChannel file =
                            FileChannel.open(
                                    path,
                                    StandardOpenOption.READ,
                                    StandardOpenOption.WRITE,
                                    StandardOpenOption.DELETE_ON_CLOSE);
                    SharedPrimitiveArray<NativeLongArray> mapped =
                            NativeLongArray.map(file, MapMode.READ_WRITE, 0, LENGTH);
                    NativeLongArray lease = mapped.lease();
                    NativeLongArray zeros = NativeLongArray.zeroed(LENGTH)) {
                System.out.println(calls(lease, zeros) + " equal");
                file.truncate(0);
                System.out.println(calls(lease, zeros) + " equal");
            } catch (InternalError e) {
                System.out.println("threw " + e);
            }
        }

        private static int calls(NativeLongArray one, NativeLongArray other) {
            int equal = 0;
            for (int i = 0; i < CALLS; i++) {
                equal += one.mismatch(other) < 0 ? 1 : 0;
            }
            return equal;
        }
    }
}
