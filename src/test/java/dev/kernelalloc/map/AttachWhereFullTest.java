package dev.kernelalloc.map;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.invoke.MethodHandles;
import java.lang.ref.Reference;
import java.util.function.Supplier;

/** Sharing and attaching with nearly no room on the Java heap. */
class AttachWhereFullTest {

    @ParameterizedTest
    @EnumSource(names = {"OFF", "ALL"})
    @DisplayName("A share or an attach that the Java heap refuses loses neither memory nor entries")
    void shareAndAttach_whereTheJavaHeapIsFull_loseNothing(Tracking tracking) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xmx12m", "-XX:+UseSerialGC", "-XX:-CreateCoredumpOnCrash")
                        .outputOf(Owners.class, tracking.name());
        assertThat(output)
                .containsPattern("refused: [1-9]\\d+")
                .containsPattern("served: [1-9]\\d+")
                .contains("alive: 0");
    }

    static final class Owners {

        private record Pair(long a, long b) {}

        private static final StructType<Pair> PAIR =
                StructType.of(MethodHandles.lookup(), Pair.class);
        private static final int MOST_ROOM = 40;
        private static final int NOT_FILLED = -1;

        /**
         * Links what the methods need; and a method handle is compiled at its 128th call, which
         * takes more of the Java heap than is left later.
         */
        private static final int WARM_UPS = 200;

        private static int refused;
        private static int served;

        private Owners() {}

        static void main(String[] arguments) {
            try (PoolAllocator pool =
                    PoolAllocator.builder().tracking(Tracking.valueOf(arguments[0])).build()) {
                for (int i = 0; i < WARM_UPS; i++) {
                    maps(pool, NOT_FILLED);
                    arrays(pool, NOT_FILLED);
                }
                byte[] spare = new byte[1 << 16]; // for what must succeed
                Object[] most = fillBut(0, 1 << 19, 1 << 15);
                Reference.reachabilityFence(spare);
                spare = null;
                refused = 0;
                served = 0;
                for (int room = 0; room < MOST_ROOM; room++) {
                    maps(pool, room);
                    arrays(pool, room);
                }
                most[0] = null;
                IO.println("refused: " + refused);
                IO.println("served: " + served);
                IO.println("alive: " + pool.stats().liveBlocks());
            }
        }

        private static void maps(PoolAllocator pool, int room) {
            NativeMap<Pair> mine = NativeMap.create(pool, PAIR);
            mine.put(1, new Pair(2, 3));
            SharedMap<Pair> shared = served(room, mine::share);
            requireEntries(served(room, shared::attach));
        }

        private static void requireEntries(NativeMap<Pair> map) {
            if (!new Pair(2, 3).equals(map.get(1)) || map.size() != 1) {
                throw new AssertionError(map.toString());
            }
            map.close();
        }

        private static void arrays(PoolAllocator pool, int room) {
            NativeLongArray mine = NativeLongArray.of(pool, 4, 5);
            SharedPrimitiveArray<NativeLongArray> shared = served(room, mine::share);
            try (NativeLongArray last = served(room, shared::attach)) {
                if (last.get(0) != 4 || last.get(1) != 5) {
                    throw new AssertionError(last.toString());
                }
            }
        }

        /** Asks where there is nearly no room, and once more where there is, if that is refused. */
        private static <T> T served(int room, Supplier<T> request) {
            T result = null;
            Object[] filling = fillBut(room);
            try {
                result = request.get();
                served++;
            } catch (OutOfMemoryError _) {
                refused++;
            }
            filling[0] = null;
            return result == null ? request.get() : result;
        }

        /** Fills the Java heap, except for so many small objects. */
        private static Object[] fillBut(int room) {
            return room == NOT_FILLED ? new Object[1] : fillBut(room, 1 << 12, 16);
        }

        private static Object[] fillBut(int room, int largest, int smallest) {
            Object[] kept = null;
            for (int i = 0; i < room; i++) {
                kept = new Object[] {kept};
            }
            Object[] all = new Object[1];
            for (int bytes = largest; bytes >= smallest; bytes /= 16) {
                try {
                    while (true) {
                        Object[] next = new Object[] {all[0], new byte[bytes]};
                        all[0] = next;
                    }
                } catch (OutOfMemoryError _) {
                    // smaller ones
                }
            }
            Reference.reachabilityFence(kept); // until here; it is the room
            return all;
        }
    }
}
