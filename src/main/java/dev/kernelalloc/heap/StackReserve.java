package dev.kernelalloc.heap;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;
import java.util.function.Consumer;

/**
 * Reserves room on the stack of the calling thread. A {@code StackOverflowError} may be thrown at
 * any call; thrown between claiming a slab and offering it again it would lose the slab forever. So
 * the slow path of the heap first makes sure that the stack is deep enough for all its calls: if
 * the error is inevitable, it is thrown while the thread holds nothing.
 *
 * <p>The check calls a method with {@value #BYTES} bytes of local variables that it never uses. The
 * interpreter creates a frame for them. Compiled code, which might have to continue in the
 * interpreter, touches each page down to where that frame would end: four stores in all (HotSpot,
 * {@code Compile::bang_size_in_bytes}). javac cannot express that without naming two thousand
 * variables.
 */
public abstract class StackReserve {

    /** More than twice the measured need of the slow path, interpreted. */
    private static final int BYTES = 16 << 10;

    /**
     * More bytecode than C2 inlines: the pages are touched when it is called, not by its caller.
     */
    private static final int PADDING = 400;

    private static final StackReserve FRAME = generate(BYTES);
    private static final StackReserve TWICE = generate(2 * BYTES);
    private static final StackReserve THRICE = generate(3 * BYTES);

    StackReserve() {}

    /**
     * Checks that the calling thread's stack has {@value #BYTES} bytes left.
     *
     * @throws StackOverflowError if it has not
     */
    public static void require() {
        FRAME.touch(false);
    }

    /**
     * Checks for twice as much, for a caller of the slow path that must not be left halfway by the
     * slow path's own check.
     *
     * @throws StackOverflowError if it has not
     */
    public static void requireForCaller() {
        TWICE.touch(false);
    }

    /**
     * Checks for three times as much, before memory gets an owner whose close checks for twice as
     * much: no owner is created where it could not be closed.
     *
     * @throws StackOverflowError if it has not
     */
    public static void requireForOwner() {
        THRICE.touch(false);
    }

    /** {@code if (again) touch(false);}: compiled code that calls nothing touches nothing. */
    abstract void touch(boolean again);

    private static StackReserve generate(int frameBytes) {
        ClassDesc name = ClassDesc.of(StackReserve.class.getPackageName(), "StackFrame");
        byte[] bytes = ClassFile.of().build(name, new Frame(name, frameBytes));
        try {
            return (StackReserve)
                    MethodHandles.lookup()
                            .defineHiddenClass(bytes, true)
                            .lookupClass()
                            .getDeclaredConstructor()
                            .newInstance();
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    // Classes, not lambdas: linking one would delay the first allocation of a process.

    private record Frame(ClassDesc name, int bytes) implements Consumer<ClassBuilder> {

        private static final ClassDesc BASE = ClassDesc.of(StackReserve.class.getName());
        private static final MethodTypeDesc TOUCH =
                MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_boolean);

        @Override
        public void accept(ClassBuilder frame) {
            frame.withSuperclass(BASE)
                    .withMethodBody(
                            ConstantDescs.INIT_NAME, ConstantDescs.MTD_void, 0, new Constructor())
                    .withMethodBody("touch", TOUCH, 0, new Touch(name, bytes));
        }
    }

    private record Constructor() implements Consumer<CodeBuilder> {

        @Override
        public void accept(CodeBuilder code) {
            code.aload(0)
                    .invokespecial(Frame.BASE, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                    .return_();
        }
    }

    private record Touch(ClassDesc name, int bytes) implements Consumer<CodeBuilder> {

        @Override
        public void accept(CodeBuilder code) {
            for (int i = 0; i < PADDING; i++) {
                code.nop();
            }
            Label once = code.newLabel();
            code.iload(1)
                    .ifeq(once)
                    .aload(0)
                    .iconst_0()
                    .invokevirtual(name, "touch", Frame.TOUCH)
                    .labelBinding(once)
                    .iconst_0()
                    .istore(bytes / Long.BYTES)
                    .return_();
        }
    }
}
