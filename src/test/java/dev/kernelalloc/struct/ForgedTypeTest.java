package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** A foreign subclass of StructType could report wrong sizes. */
class ForgedTypeTest {

    record Point(int x, int y) {}

    /** Eight bytes when it is allocated, 32 TiB when it is accessed. */
    private static class Forged extends StructType<MemorySegment> {

        private int calls;

        Forged(@Nullable Object model) {
            super(model);
        }

        @Override
        public Class<MemorySegment> type() {
            return MemorySegment.class;
        }

        @Override
        public boolean isView() {
            return true;
        }

        @Override
        public long byteSize() {
            return calls++ == 0 ? 8 : 1L << 45;
        }

        @Override
        public long byteAlignment() {
            return 8;
        }

        @Override
        public boolean followsPointers() {
            return false;
        }

        @Override
        public MemorySegment get(MemorySegment segment) {
            return segment;
        }

        @Override
        public MemorySegment get(MemorySegment segment, long offset) {
            return segment;
        }

        @Override
        public void set(MemorySegment segment, MemorySegment value) {}

        @Override
        public void set(MemorySegment segment, long offset, MemorySegment value) {}

        @Override
        public void clear(MemorySegment segment) {}
    }

    /** Would hand out the half-made object. */
    private static final class Escaping extends Forged {

        static final AtomicInteger ESCAPED = new AtomicInteger();

        Escaping() {
            super(null);
        }

        @Override
        @SuppressWarnings({"deprecation", "removal"}) // the attack itself
        protected void finalize() {
            ESCAPED.incrementAndGet();
        }
    }

    private static final class Finalized {

        static final AtomicInteger COUNT = new AtomicInteger();

        @Override
        @SuppressWarnings({"deprecation", "removal"}) // proves that finalizers have run
        protected void finalize() {
            COUNT.incrementAndGet();
        }
    }

    @Test
    @DisplayName("A foreign subclass is refused, whatever it passes")
    void constructor_calledByForeignSubclass_throws() {
        assertRefused(null);
        assertRefused(new Object());
        assertRefused(Point.class);
    }

    @Test
    @DisplayName("A struct has one type: its model makes no second one")
    void constructor_withTheModelOfAnotherType_throws() {
        assertRefused(StructType.of(MethodHandles.lookup(), Point.class).model());
    }

    @Test
    @DisplayName("No half-made type reaches a finalizer")
    void finalizer_ofARefusedType_neverRuns() {
        for (int i = 0; i < 100; i++) {
            assertThatExceptionOfType(IllegalCallerException.class).isThrownBy(Escaping::new);
        }
        awaitFinalizers();
        assertThat(Escaping.ESCAPED).hasValue(0);
    }

    @SuppressWarnings({"deprecation", "removal"})
    private static void awaitFinalizers() {
        while (Finalized.COUNT.get() == 0) {
            new Finalized();
            System.gc();
            System.runFinalization();
        }
    }

    private static void assertRefused(@Nullable Object model) {
        assertThatExceptionOfType(IllegalCallerException.class)
                .isThrownBy(() -> new Forged(model))
                .withMessage("StructType cannot be extended: get a type from StructType.of");
    }

    @Test
    @DisplayName("The constructor of a type's boxes is linked to generated classes alone")
    void newBox_linkedByAnotherClass_isRefused() throws Exception {
        MethodHandles.Lookup own = MethodHandles.lookup();
        byte[] code =
                ClassFile.of()
                        .build(ClassDesc.of(own.lookupClass().getPackageName(), "Data"), _ -> {});
        List<MethodHandles.Lookup> callers =
                List.of(
                        own,
                        own.defineHiddenClassWithClassData(code, List.of(), true),
                        own.defineHiddenClassWithClassData(code, List.of("no struct"), true),
                        own.defineHiddenClassWithClassData(code, "no list", true));
        for (MethodHandles.Lookup caller : callers) {
            assertThatExceptionOfType(IllegalCallerException.class)
                    .isThrownBy(
                            () ->
                                    StructType.linkNewBox(
                                            caller, "_", MethodType.methodType(Object.class)))
                    .withMessageContaining("is no generated class");
        }
    }
}
