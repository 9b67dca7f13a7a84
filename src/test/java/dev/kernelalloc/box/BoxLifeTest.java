package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.struct.StructView;

import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A box and its view are one object with a life of its own. */
@SuppressWarnings("try") // closing is what is tested
class BoxLifeTest {

    interface Counter {
        long value();

        void value(long value);

        long check();

        void check(long value);
    }

    private static final StructType<Counter> COUNTER =
            StructType.of(MethodHandles.lookup(), Counter.class);

    // ---- stale views --------------------------------------------------------------------------

    @Property
    @Label("A view of a closed box throws, however often its block has had another owner")
    void view_ofClosedBox_neverReachesTheNextOwner(
            @ForAll @Size(min = 1, max = 2000) List<@IntRange(max = 63) Integer> slots) {
        try (PoolAllocator pool = PoolAllocator.create()) {
            List<Counter> stale = new ArrayList<>();
            NativeBox<?>[] open = new NativeBox<?>[64];
            Counter[] views = new Counter[64];
            long next = 0;
            for (int slot : slots) {
                if (open[slot] != null) {
                    assertThat(views[slot].value()).isEqualTo(~views[slot].check());
                    open[slot].close();
                    stale.add(views[slot]);
                }
                NativeBox<Counter> box = NativeBox.uninitialized(pool, COUNTER);
                open[slot] = box;
                views[slot] = box.get();
                views[slot].value(++next);
                views[slot].check(~next);
                Counter old = stale.isEmpty() ? null : stale.get((int) (next % stale.size()));
                if (old != null) {
                    assertThatIllegalStateException().isThrownBy(() -> old.value(-1));
                    assertThatIllegalStateException().isThrownBy(old::check);
                }
            }
            for (Counter view : stale) {
                assertThatIllegalStateException().isThrownBy(() -> view.value(-1));
            }
            for (int slot = 0; slot < open.length; slot++) {
                if (open[slot] != null) {
                    assertThat(views[slot].value()).isEqualTo(~views[slot].check());
                    open[slot].close();
                }
            }
        }
    }

    @Test
    @DisplayName(
            "Every access of a closed box throws, also of one whose segment was never asked for")
    void accesses_ofClosedBox_throw() {
        NativeBox<Counter> box = NativeBox.zeroed(COUNTER);
        Counter view = box.get();
        box.close();
        assertThatIllegalStateException().isThrownBy(view::value);
        assertThatIllegalStateException().isThrownBy(() -> view.value(1));
        assertThatIllegalStateException().isThrownBy(box::segment);
        assertThatIllegalStateException().isThrownBy(((StructView) view)::asSegment);
        assertThatIllegalStateException().isThrownBy(box::copy);
        assertThatIllegalStateException().isThrownBy(box::close);
        assertThat(box.toString()).contains("closed");
    }

    @Test
    @DisplayName("A segment that was handed out dies with its box")
    void segment_ofClosedBox_isDead() {
        NativeBox<Counter> box = NativeBox.zeroed(COUNTER);
        MemorySegment segment = box.segment();
        segment.set(ValueLayout.JAVA_LONG, 0, 7);
        assertThat(box.get().value()).isEqualTo(7);
        assertThat(box.segment()).isSameAs(segment);
        box.close();
        assertThat(segment.scope().isAlive()).isFalse();
    }

    // ---- code of the user that closes the box in the middle of an access -----------------------

    private static NativeBox<?> closing;

    private static void closeOne() {
        if (closing != null) {
            NativeBox<?> box = closing;
            closing = null;
            box.close();
        }
    }

    @AfterEach
    void nothingIsLeftToClose() {
        closing = null;
    }

    record Outer(long first, Inner inner, long last) {}

    record Inner(long a, long b) {
        Inner {
            closeOne();
        }

        @Override
        public long b() {
            closeOne();
            return b;
        }
    }

    interface Many {
        long first();

        void first(long value);

        @Length(4)
        Inner[] inner();

        void inner(Inner[] values);

        Inner one();

        void one(Inner value);
    }

    private static final StructType<Outer> OUTER =
            StructType.of(MethodHandles.lookup(), Outer.class);
    private static final StructType<Inner> INNER =
            StructType.of(MethodHandles.lookup(), Inner.class);
    private static final StructType<Many> MANY = StructType.of(MethodHandles.lookup(), Many.class);

    @Test
    @DisplayName("A constructor that closes the box ends the read with an exception")
    void get_whoseConstructorClosesTheBox_throws() {
        attack(OUTER, NativeBox::get);
        attack(MANY, box -> box.get().inner());
    }

    @Test
    @DisplayName("An accessor of a record that closes the box ends the write with an exception")
    void set_whoseAccessorClosesTheBox_throws() {
        attack(INNER, box -> box.set(new Inner(-1, -1)));
        attack(OUTER, box -> box.set(new Outer(-1, new Inner(-1, -1), -1)));
        attack(MANY, box -> box.get().one(new Inner(-1, -1)));
        attack(MANY, box -> box.get().inner(new Inner[] {filled(), filled(), filled(), filled()}));
    }

    private static Inner filled() {
        return new Inner(-1, -1);
    }

    /** A view that is none of the library's. */
    private record Forged(MemorySegment asSegment) implements Counter, StructView {
        @Override
        public MemorySegment asSegment() {
            closeOne();
            return asSegment;
        }

        @Override
        public long value() {
            return 0;
        }

        @Override
        public void value(long value) {}

        @Override
        public long check() {
            return 0;
        }

        @Override
        public void check(long value) {}
    }

    @Test
    @DisplayName("A view of the user's that closes the box ends the write with an exception")
    void set_toAViewThatClosesTheBox_throws() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ones = arena.allocate(COUNTER.layout()).fill((byte) -1);
            attack(COUNTER, box -> box.set(new Forged(ones)));
        }
    }

    /** What must not be written to after the box is closed: the block's next owner. */
    private static <T> void attack(StructType<T> type, Consumer<NativeBox<T>> access) {
        try (PoolAllocator pool = PoolAllocator.create()) {
            NativeBox<T> box = NativeBox.zeroed(pool, type);
            MemorySegment[] next = new MemorySegment[1];
            closing = box;
            assertThatIllegalStateException().isThrownBy(() -> access.accept(box));
            next[0] = pool.allocate(type.byteSize(), type.byteAlignment());
            assertThat(box.toString()).contains("closed");
            pool.free(next[0]);
        }
    }

    // ---- copies -------------------------------------------------------------------------------

    interface One {
        long a();

        void a(long value);
    }

    interface Other {
        int b();

        void b(int value);
    }

    interface Both extends One, Other {}

    @Test
    @DisplayName(
            "A box as a value is checked as a view is: its members must lie where they are read")
    void set_toABoxOfAnotherStruct_isRefusedUnlessItBeginsTheSame() {
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        StructType<One> one = StructType.of(lookup, One.class);
        StructType<Other> other = StructType.of(lookup, Other.class);
        try (NativeBox<Both> both = NativeBox.zeroed(StructType.of(lookup, Both.class));
                NativeBox<One> first = NativeBox.zeroed(one);
                NativeBox<Other> second = NativeBox.zeroed(other)) {
            both.get().a(7);
            first.set(both.get());
            assertThat(first.get().a()).isEqualTo(7);
            assertThatIllegalArgumentException().isThrownBy(() -> second.set(both.get()));
        }
    }

    // ---- names --------------------------------------------------------------------------------

    interface Clashing {
        long elements();

        void elements(long value);

        MemorySegment segment();

        void segment(MemorySegment value);

        int type();

        void type(int value);

        long get();

        void set(long value);

        long set();

        void get(long value);

        default void close() {
            throw new UnsupportedOperationException("the struct's own");
        }
    }

    @Test
    @DisplayName("Members may have names of the box's own methods")
    void members_namedLikeMethodsOfBoxes_areMembers() {
        StructType<Clashing> type = StructType.of(MethodHandles.lookup(), Clashing.class);
        try (NativeBox<Clashing> box = NativeBox.zeroed(type)) {
            Clashing view = box.get();
            view.elements(1);
            view.segment(MemorySegment.ofAddress(2));
            view.type(3);
            view.get(4);
            view.set(5);
            assertThat(view.elements()).isEqualTo(1);
            assertThat(view.segment().address()).isEqualTo(2);
            assertThat(view.type()).isEqualTo(3);
            assertThat(view.get()).isEqualTo(4);
            assertThat(view.set()).isEqualTo(5);
            assertThat(box.elements()).isZero();
            assertThat(box.type()).isSameAs(type);
            assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(view::close);
        }
    }

    interface Close {
        int type();

        void type(int value);

        int copy();

        void copy(int value);
    }

    @Test
    @DisplayName("A member with the name of a box's method and another result is a member")
    void members_withOtherResults_areMembersOfTheBoxItself() {
        StructType<Close> type = StructType.of(MethodHandles.lookup(), Close.class);
        try (NativeBox<Close> box = NativeBox.zeroed(type)) {
            box.get().type(3);
            box.get().copy(4);
            assertThat(box.get()).isSameAs(box);
            assertThat(box.get().type()).isEqualTo(3);
            assertThat(box.get().copy()).isEqualTo(4);
            assertThat(box.type()).isSameAs(type);
            try (NativeBox<Close> copy = box.copy()) {
                assertThat(copy.get().copy()).isEqualTo(4);
            }
        }
    }
}
