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
        assertThat(output).contains("alive: 0");
    }

    static final class Owners {

        private record Pair(long a, long b) {}

        private static final StructType<Pair> PAIR =
                StructType.of(MethodHandles.lookup(), Pair.class);
        private static final int NOT_FILLED = -1;
        private static final int ENOUGH = 10;

        /**
         * Links what the methods need; and a method handle is compiled at its 128th call, which
         * takes more of the Java heap than is left later.
         */
        private static final int WARM_UPS = 200;

        /** How many requests of one kind were refused, and how many served. */
        private static final class Outcomes {
            int refused;
            int served;
        }

        private final PoolAllocator pool;
        private final Outcomes shares = new Outcomes();
        private final Outcomes attaches = new Outcomes();

        private Owners(PoolAllocator pool) {
            this.pool = pool;
        }

        static void main(String[] arguments) {
            try (PoolAllocator pool =
                    PoolAllocator.builder().tracking(Tracking.valueOf(arguments[0])).build()) {
                Owners warmedUp = new Owners(pool);
                for (int i = 0; i < WARM_UPS; i++) {
                    warmedUp.maps(NOT_FILLED);
                    warmedUp.arrays(NOT_FILLED);
                }
                Owners owners = new Owners(pool);
                byte[] spare = new byte[1 << 16]; // for what must succeed
                Object[] most = fillBut(0, 1 << 19, 1 << 15);
                Reference.reachabilityFence(spare);
                spare = null;
                owners.useEachRoom();
                most[0] = null;
                IO.println("alive: " + pool.stats().liveBlocks());
            }
        }

        /** Begins without room, where all is refused; ends where enough of each was served. */
        private void useEachRoom() {
            for (int room = 0; shares.served < ENOUGH || attaches.served < ENOUGH; room++) {
                maps(room);
                arrays(room);
            }
            if (shares.refused < ENOUGH || attaches.refused < ENOUGH) {
                throw new AssertionError(
                        "refused: shares=%d attaches=%d"
                                .formatted(shares.refused, attaches.refused));
            }
        }

        private void maps(int room) {
            NativeMap<Pair> mine = NativeMap.create(pool, PAIR);
            mine.put(1, new Pair(2, 3));
            SharedMap<Pair> shared = served(shares, room, mine::share);
            requireEntries(served(attaches, room, shared::attach));
        }

        private static void requireEntries(NativeMap<Pair> map) {
            if (!new Pair(2, 3).equals(map.get(1)) || map.size() != 1) {
                throw new AssertionError(map.toString());
            }
            map.close();
        }

        private void arrays(int room) {
            NativeLongArray mine = NativeLongArray.of(pool, 4, 5);
            SharedPrimitiveArray<NativeLongArray> shared = served(shares, room, mine::share);
            try (NativeLongArray last = served(attaches, room, shared::attach)) {
                if (last.get(0) != 4 || last.get(1) != 5) {
                    throw new AssertionError(last.toString());
                }
            }
        }

        /** Asks where there is nearly no room, and once more where there is, if that is refused. */
        private static <T> T served(Outcomes outcomes, int room, Supplier<T> request) {
            T result = null;
            Object[] filling = fillBut(room);
            try {
                result = request.get();
                outcomes.served++;
            } catch (OutOfMemoryError _) {
                outcomes.refused++;
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
