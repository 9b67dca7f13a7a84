package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.POINT;
import static dev.kernelalloc.container.NativeArrayTest.point;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/** Every container tells where its memory lies, where that can be known. */
class ExtentsTest {

    private static final int MANY = 10_000;

    /** What owns memory, and where it lies by its own account. */
    record Owner(
            AutoCloseable closeable,
            Supplier<MemorySegment> segment,
            Supplier<List<PhysicalExtent>> extents,
            boolean confined) {

        @Override
        public String toString() {
            return closeable.toString();
        }
    }

    enum Container {
        BOX(
                allocator -> {
                    NativeBox<Point> box = NativeBox.of(allocator, POINT, point(1));
                    return new Owner(box, box::segment, box::extents, true);
                }),
        LEASE_OF_A_BOX(
                allocator -> {
                    SharedBox<Point> box = SharedBox.of(allocator, POINT, point(1));
                    Lease<Point> lease = box.lease();
                    box.close();
                    return new Owner(lease, lease::segment, lease::extents, true);
                }),
        SHARED_BOX(
                allocator -> {
                    SharedBox<Point> box = SharedBox.of(allocator, POINT, point(1));
                    return new Owner(box, () -> segment(box), box::extents, false);
                }),
        ARRAY(
                allocator -> {
                    NativeArray<Point> array = NativeArray.zeroed(allocator, POINT, MANY);
                    return new Owner(array, array::segment, array::extents, true);
                }),
        LEASE_OF_AN_ARRAY(
                allocator -> {
                    SharedArray<Point> array = NativeArray.zeroed(allocator, POINT, MANY).share();
                    ArrayLease<Point> lease = array.lease();
                    array.close();
                    return new Owner(lease, lease::segment, lease::extents, true);
                }),
        SHARED_ARRAY(
                allocator -> {
                    SharedArray<Point> array = NativeArray.zeroed(allocator, POINT, MANY).share();
                    return new Owner(array, () -> segment(array), array::extents, false);
                }),
        VEC(
                allocator -> {
                    NativeVec<Point> vec = NativeVec.create(allocator, POINT);
                    for (int i = 0; i < MANY; i++) {
                        vec.add(point(i));
                    }
                    return new Owner(vec, vec::segment, vec::extents, true);
                }),
        STRING(
                allocator -> {
                    NativeString string = NativeString.of(allocator, "text".repeat(MANY));
                    return new Owner(string, string::segment, string::extents, true);
                });

        private final Function<KernelAllocator, Owner> make;

        Container(Function<KernelAllocator, Owner> make) {
            this.make = make;
        }

        private static MemorySegment segment(SharedBox<Point> box) {
            try (Lease<Point> lease = box.lease()) {
                return NativeMemory.segment(lease.segment().address(), lease.segment().byteSize());
            }
        }

        private static MemorySegment segment(SharedArray<Point> array) {
            try (ArrayLease<Point> lease = array.lease()) {
                return NativeMemory.segment(lease.segment().address(), lease.segment().byteSize());
            }
        }
    }

    /** The same as the allocator says, be it where the memory lies or why that is not known. */
    @ParameterizedTest
    @EnumSource
    void aContainerLiesWhereItsAllocatorSays(Container container) throws Exception {
        EveryAllocator.PHYSICAL.use(
                allocator -> {
                    PhysicalAllocator physical = (PhysicalAllocator) allocator;
                    Owner owner = container.make.apply(physical);
                    Object expected = result(() -> physical.extents(owner.segment.get()));
                    assertThat(result(owner.extents)).isEqualTo(expected);
                    if (LinuxProcess.isThis() && LinuxProcess.seesFrames()) {
                        long bytes = 0;
                        for (PhysicalExtent extent : owner.extents.get()) {
                            bytes += extent.bytes();
                        }
                        assertThat(bytes).isEqualTo(owner.segment.get().byteSize());
                    }
                    owner.closeable.close();
                });
    }

    private static Object result(Supplier<List<PhysicalExtent>> extents) {
        try {
            return extents.get();
        } catch (PhysicalAddressException e) {
            return e.reason();
        }
    }

    @ParameterizedTest
    @EnumSource
    void nothingIsToldOfMemoryThatIsNoLongerTheCallers(Container container) throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            EveryAllocator.PHYSICAL.use(
                    allocator -> {
                        Owner owner = container.make.apply(allocator);
                        if (owner.confined) {
                            assertThatExceptionOfType(ExecutionException.class)
                                    .isThrownBy(() -> other.submit(owner.extents::get).get())
                                    .withCauseInstanceOf(WrongThreadException.class);
                        }
                        owner.closeable.close();
                        assertThatIllegalStateException().isThrownBy(owner.extents::get);
                    });
        }
    }

    @ParameterizedTest
    @EnumSource(
            mode = Mode.EXCLUDE,
            names = {"PHYSICAL", "GUARDED_PHYSICAL"})
    void whereMemoryIsNotPhysicalAContainerSaysSo(EveryAllocator kind) throws Exception {
        kind.use(
                allocator -> {
                    for (Container container : Container.values()) {
                        Owner owner = container.make.apply(allocator);
                        assertThatExceptionOfType(UnsupportedOperationException.class)
                                .as(container.name())
                                .isThrownBy(owner.extents::get)
                                .withMessageContaining("only memory of a PhysicalAllocator");
                        owner.closeable.close();
                    }
                });
    }

    @Test
    void whatHasNoBytesHasNoExtents() {
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                NativeVec<Point> vec = NativeVec.create(physical, POINT);
                NativeArray<Point> array = NativeArray.zeroed(physical, POINT, 0);
                NativeString string = NativeString.of(physical, "")) {
            assertThat(vec.extents()).isEmpty();
            assertThat(array.extents()).isEmpty();
            assertThat(string.extents()).isEmpty();
            MemorySegment block = physical.allocate(64, 64);
            assertThat(physical.extents(block.asSlice(64, 0))).isEmpty(); // another block's place
            assertThat(physical.extents(block.asSlice(0, 0), 1, 4096)).isEmpty();
            physical.free(block);
        }
    }

    @Test
    @DisplayName("An empty segment has no byte that could be asked about")
    void address_ofAnEmptySegment_isRefused() {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block = physical.allocate(64, 64);
            MemorySegment nothing = physical.allocate(0, 1);
            List<Consumer<MemorySegment>> questions =
                    List.of(
                            physical::addressOf,
                            physical::node,
                            physical::inspect,
                            physical::guarantee,
                            physical::provenance,
                            physical::verify);
            for (Consumer<MemorySegment> question : questions) {
                for (MemorySegment empty : List.of(block.asSlice(64), nothing)) {
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> question.accept(empty))
                            .withMessageContaining("is empty");
                }
            }
            physical.free(block);
            physical.free(nothing);
        }
    }

    @Test
    void anAdoptedBoxLiesWhereItsBlockDoes() {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block =
                    physical.allocate(PhysicalRequest.ofBytes(POINT.byteSize()).build());
            Object expected = result(() -> physical.extents(block));
            try (NativeBox<Point> box = NativeBox.adopt(physical, POINT, block)) {
                assertThat(result(box::extents)).isEqualTo(expected);
            }
        }
    }

    @Test
    void whereMemoryOfCLiesIsNotKnown() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            MemorySegment block = pool.allocate(POINT.byteSize(), POINT.byteAlignment());
            try (NativeBox<Point> box = NativeBox.adopt(POINT, block, pool::free)) {
                assertThatExceptionOfType(UnsupportedOperationException.class)
                        .isThrownBy(box::extents)
                        .withMessageContaining("from outside the library");
            }
        }
    }
}
