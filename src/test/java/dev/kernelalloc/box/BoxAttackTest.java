package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.ConfinedBox;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.CString;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.struct.Text;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.Arena;
import java.lang.foreign.SegmentAllocator;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.charset.spi.CharsetProvider;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;

/** What the owner of a struct type tries, to reach memory through a box that is closed. */
class BoxAttackTest {

    private interface Cloned extends Cloneable {
        long x();

        void x(long value);
    }

    private record Word(long value) {}

    private record Named(@CString String name) {}

    private record Called(@CString String name) {
        private static Runnable hook = () -> {};

        @Override
        public String name() {
            hook.run();
            return name;
        }
    }

    private record Encoded(@Text(charset = Charsets.NAME) @Length(8) String text) {}

    private static final StructType<Word> WORD = StructType.of(MethodHandles.lookup(), Word.class);

    @Test
    @DisplayName("A box of a cloneable interface cannot be cloned")
    void clone_ofABoxOfACloneableInterface_isRefused() throws Throwable {
        StructType<Cloned> type = StructType.of(MethodHandles.lookup(), Cloned.class);
        try (NativeBox<Cloned> box = NativeBox.zeroed(type)) {
            MethodHandles.Lookup inside =
                    MethodHandles.privateLookupIn(box.getClass(), MethodHandles.lookup());
            MethodHandle clone =
                    inside.findSpecial(
                            Object.class,
                            "clone",
                            MethodType.methodType(Object.class),
                            box.getClass());
            assertThatThrownBy(() -> clone.invoke(box))
                    .isInstanceOf(CloneNotSupportedException.class);
        }
    }

    @Test
    @DisplayName("A box that is closed while its text is allocated is not written to")
    void set_ofATextWhoseAllocatorClosesTheBox_writesNothing() {
        StructType<Called> called = StructType.of(MethodHandles.lookup(), Called.class);
        StructType<Named> named = StructType.of(MethodHandles.lookup(), Named.class);
        try (PoolAllocator pool = PoolAllocator.create();
                Arena texts = Arena.ofConfined()) {
            NativeBox<Named> box = NativeBox.zeroed(pool, named);
            Victims victims = new Victims(pool, box);
            boolean[] isArmed = new boolean[1];
            SegmentAllocator closing =
                    (bytes, alignment) -> {
                        if (isArmed[0]) {
                            isArmed[0] = false;
                            victims.takeItsPlace();
                        }
                        return texts.allocate(bytes, alignment);
                    };
            Called.hook =
                    () -> {
                        Called.hook = () -> {};
                        isArmed[0] = true;
                        box.set(new Named("x"));
                    };
            assertThatIllegalStateException()
                    .isThrownBy(() -> called.allocate(closing, new Called("hello")));
            assertThat(victims.areUnharmed()).isTrue();
            victims.boxes.forEach(NativeBox::close);
        }
    }

    @Test
    @DisplayName("A box that is closed while its text is encoded is not written to")
    void set_ofATextWhoseCharsetClosesTheBox_writesNothing() throws InterruptedException {
        String output =
                ChildJvm.onClassPath().withNativeAccess().outputOf(WithForeignCharset.class);
        assertThat(output).contains("refused, unharmed");
    }

    /** A process of its own, as only a class path has providers of charsets for all. */
    static final class WithForeignCharset {

        private WithForeignCharset() {}

        public static void main(String[] arguments) {
            StructType<Encoded> type = StructType.of(MethodHandles.lookup(), Encoded.class);
            try (PoolAllocator pool = PoolAllocator.create()) {
                NativeBox<Encoded> box = NativeBox.zeroed(pool, type);
                Victims victims = new Victims(pool, box);
                Charsets.hook =
                        () -> {
                            Charsets.hook = () -> {};
                            victims.takeItsPlace();
                        };
                try {
                    box.set(new Encoded("harmful"));
                } catch (IllegalStateException e) {
                    System.out.println(victims.areUnharmed() ? "refused, unharmed" : "harmed");
                }
                victims.boxes.forEach(NativeBox::close);
            }
        }
    }

    /** Boxes that get the block of another box. */
    private static final class Victims {

        private final PoolAllocator pool;
        private final NativeBox<?> before;
        private List<NativeBox<Word>> boxes = List.of();

        Victims(PoolAllocator pool, NativeBox<?> before) {
            this.pool = pool;
            this.before = before;
        }

        void takeItsPlace() {
            before.close();
            boxes =
                    IntStream.range(0, 200)
                            .mapToObj(_ -> NativeBox.of(pool, WORD, new Word(42)))
                            .toList();
        }

        boolean areUnharmed() {
            return !boxes.isEmpty() && boxes.stream().allMatch(box -> box.get().value() == 42);
        }
    }

    /** Calls the test while it encodes. */
    public static final class Charsets extends CharsetProvider {

        static final String NAME = "X-Of-A-Test";

        private static Runnable hook = () -> {};

        private static final Charset FOREIGN =
                new Charset(NAME, new String[0]) {
                    @Override
                    public boolean contains(Charset other) {
                        return false;
                    }

                    @Override
                    public CharsetDecoder newDecoder() {
                        return StandardCharsets.ISO_8859_1.newDecoder();
                    }

                    @Override
                    public CharsetEncoder newEncoder() {
                        hook.run();
                        return StandardCharsets.ISO_8859_1.newEncoder();
                    }
                };

        public Charsets() {}

        @Override
        public Iterator<Charset> charsets() {
            return List.of(FOREIGN).iterator();
        }

        @Override
        public Charset charsetForName(String name) {
            return name.equals(NAME) ? FOREIGN : null;
        }
    }

    @Test
    @DisplayName("A class loader with a superclass of its own gets neither the key nor the handles")
    void box_ofATypeWhoseLoaderHasAnotherConfinedBox_isNotOfThatClass() throws Exception {
        ClassLoader loader = new Forging();
        Class<?> inside = loader.loadClass(Inside.class.getName());
        StructType<?> type = (StructType<?>) inside.getMethod("type").invoke(null);
        try (NativeBox<?> box = NativeBox.zeroed(type)) {
            assertThat(box.getClass().getClassLoader()).isNotSameAs(loader);
            assertThat(box.segment().byteSize()).isEqualTo(Long.BYTES);
        }
        Class<?> forged = loader.loadClass(ConfinedBox.class.getName());
        assertThat(forged).isNotSameAs(ConfinedBox.class);
        assertThat(forged.getField("key").get(null)).isNull();
    }

    /** Loaded by the loader of the attack. */
    public static final class Inside {

        public interface Value {
            long value();

            void value(long value);
        }

        private Inside() {}

        public static StructType<?> type() {
            return StructType.of(MethodHandles.lookup(), Value.class);
        }
    }

    /** Has a {@code ConfinedBox} of its own, which keeps what its constructor is given. */
    private static final class Forging extends ClassLoader {

        private static final ClassDesc FORGED = ClassDesc.of(ConfinedBox.class.getName());

        Forging() {
            super(BoxAttackTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            Class<?> known = findLoadedClass(name);
            if (known != null) {
                return known;
            }
            if (name.equals(ConfinedBox.class.getName())) {
                byte[] code = forged();
                return defineClass(name, code, 0, code.length);
            }
            if (name.startsWith(Inside.class.getName())) {
                byte[] code = codeOf(name);
                return defineClass(name, code, 0, code.length);
            }
            return super.loadClass(name, resolve);
        }

        private static byte[] forged() {
            MethodTypeDesc ofKey =
                    MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_Object);
            return ClassFile.of()
                    .build(
                            FORGED,
                            builder ->
                                    builder.withFlags(ClassFile.ACC_PUBLIC)
                                            .withField(
                                                    "key",
                                                    ConstantDescs.CD_Object,
                                                    ClassFile.ACC_PUBLIC | ClassFile.ACC_STATIC)
                                            .withMethodBody(
                                                    ConstantDescs.INIT_NAME,
                                                    ofKey,
                                                    ClassFile.ACC_PUBLIC,
                                                    code ->
                                                            code.aload(0)
                                                                    .invokespecial(
                                                                            ConstantDescs.CD_Object,
                                                                            ConstantDescs.INIT_NAME,
                                                                            ConstantDescs.MTD_void)
                                                                    .aload(1)
                                                                    .putstatic(
                                                                            FORGED,
                                                                            "key",
                                                                            ConstantDescs.CD_Object)
                                                                    .return_()));
        }

        private byte[] codeOf(String name) throws ClassNotFoundException {
            String path = name.replace('.', '/') + ".class";
            try (InputStream code = getParent().getResourceAsStream(path)) {
                return code.readAllBytes();
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }
}
