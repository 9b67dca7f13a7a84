package dev.kernelalloc.leaks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What only a process can show: its default level, and its Java heap full. */
class TrackingProcessTest {

    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    @Test
    void theDefaultLevelIsThatOfTheProperty() throws Exception {
        assertThat(levelWith("-Ddev.kernelalloc.tracking=all")).contains("ALL, ALL");
        assertThat(levelWith("-Ddev.kernelalloc.tracking=off")).contains("OFF, OFF");
        assertThat(levelWith("-Dother=1")).contains("SAMPLED, SAMPLED");
        assertThat(levelWith("-Ddev.kernelalloc.tracking=some"))
                .contains("-Ddev.kernelalloc.tracking=some: must be off, sampled or all");
    }

    private static String levelWith(String flag) throws InterruptedException {
        return ChildJvm.onModulePath().withNativeAccess().with(flag).run(Level.class).output();
    }

    static final class Level {
        private Level() {}

        static void main() {
            try {
                IO.println(
                        PoolAllocator.builder().build().tracking()
                                + ", "
                                + PoolAllocator.shared().tracking());
            } catch (IllegalArgumentException e) {
                IO.println(e.getMessage());
            }
        }
    }

    @Test
    void memoryFromElsewhereThatIsDroppedIsLogged() throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Ddev.kernelalloc.tracking=all")
                        .run(DropOfC.class);
        assertThat(result.output())
                .contains("lost: box of 'memory from elsewhere', at 0x", "8 bytes", "DropOfC.drop");
    }

    static final class DropOfC {
        private DropOfC() {}

        static void main() {
            drop();
            new Reports().settled();
        }

        private static void drop() {
            MemorySegment block = PoolAllocator.systemHeap().allocate(8, 8);
            NativeBox.adopt(LONG, block, PoolAllocator.systemHeap()::free);
        }
    }

    @Test
    void noBlockIsLostWhereTheJavaHeapHasNoRoomForItsRecord() throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xmx24m", "-XX:+UseSerialGC")
                        .outputOf(FullHeap.class);
        assertThat(output).contains("refused some: true", "alive at the end: 0", "reports: 0");
    }

    static final class FullHeap {
        private static final int MOST = 2000;

        private FullHeap() {}

        static void main() {
            Reports reports = new Reports();
            PoolAllocator pool =
                    PoolAllocator.builder().tracking(Tracking.ALL).onLeak(reports).build();
            NativeBox.zeroed(pool, LONG).close(); // what is loaded with the first is there now
            NativeBox<?>[] boxes = new NativeBox<?>[MOST];
            boolean refused = false;
            Object[] filling = new Object[1];
            for (int bytes = 1 << 20; bytes >= 16; bytes /= 4) {
                try {
                    while (true) {
                        filling[0] = new Object[] {filling[0], new byte[bytes]};
                    }
                } catch (OutOfMemoryError _) {
                    // as full as with pieces of that size
                }
                for (int i = 0; i < MOST; i++) {
                    if (boxes[i] == null) {
                        try {
                            boxes[i] = NativeBox.zeroed(pool, LONG);
                        } catch (OutOfMemoryError _) {
                            refused = true;
                            break;
                        }
                    }
                }
                for (int i = 0; i < MOST; i++) {
                    if (boxes[i] != null) {
                        boxes[i].close();
                        boxes[i] = null;
                    }
                }
            }
            filling[0] = null;
            IO.println("refused some: " + refused);
            IO.println("alive at the end: " + pool.stats().liveBlocks());
            IO.println("reports: " + reports.settled().size());
            pool.close();
        }
    }
}
