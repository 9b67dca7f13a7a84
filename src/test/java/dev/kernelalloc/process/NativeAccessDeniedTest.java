package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.Callable;

class NativeAccessDeniedTest {

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void everyWayIntoTheLibraryExplainsItEveryTime(boolean onModulePath) throws Exception {
        ChildJvm jvm = onModulePath ? ChildJvm.onModulePath() : ChildJvm.onClassPath();
        String output = jvm.with("--illegal-native-access=deny").outputOf(EnterTwice.class);
        assertThat(output.lines().filter(line -> line.startsWith("way")))
                .hasSize(16)
                .allSatisfy(
                        line ->
                                assertThat(line)
                                        .contains("Kernel-Alloc needs native access")
                                        .contains(
                                                "--enable-native-access="
                                                        + (onModulePath
                                                                ? "dev.kernelalloc"
                                                                : "ALL-UNNAMED")));
    }

    static final class EnterTwice {
        private EnterTwice() {}

        static void main() throws Exception {
            StructType<MemorySegment> type = StructType.of(ValueLayout.JAVA_BYTE);
            MemorySegment memory = MemorySegment.ofAddress(4096);
            List<Callable<Object>> ways =
                    List.of(
                            PoolAllocator::create,
                            PoolAllocator::shared,
                            PoolAllocator::systemHeap,
                            PhysicalAllocator::create,
                            KernelAllocator::global,
                            () -> SecretMemory.allocate(1),
                            () -> NativeBox.zeroed(type),
                            () -> NativeBox.adopt(type, memory, _ -> {}));
            for (int time = 1; time <= 2; time++) {
                for (Callable<Object> way : ways) {
                    try {
                        IO.println("way in: " + way.call());
                    } catch (IllegalCallerException e) {
                        IO.println("way closed: " + e.getMessage());
                    }
                }
            }
        }
    }
}
