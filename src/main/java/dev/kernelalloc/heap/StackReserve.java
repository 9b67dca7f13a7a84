package dev.kernelalloc.heap;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;

/**
 * Room on the stack of the calling thread. A {@code StackOverflowError} may be thrown at any call;
 * thrown between claiming a slab and offering it again it would lose the slab for ever. So the slow
 * path of the heap makes sure first that the stack is deep enough for all that it does: the error,
 * if there must be one, is thrown while nothing is in anybody's hands.
 *
 * <p>It is a call of a method with {@value #BYTES} bytes of local variables that it never uses. The
 * interpreter makes a frame for them. Compiled code, which might have to go on in the interpreter,
 * touches each page down to where that frame would end: four stores in all (HotSpot, {@code
 * Compile::bang_size_in_bytes}). javac has no way to say that without naming two thousand
 * variables.
 */
public abstract class StackReserve {

    /** More than twice what the slow path has been seen to need, interpreted. */
    private static final int BYTES = 16 << 10;

    /**
     * More bytecode than C2 inlines: the pages are touched when it is called, not by its caller.
     */
    private static final int PADDING = 400;

    private static final StackReserve FRAME = generate(BYTES);
    private static final StackReserve TWICE = generate(2 * BYTES);

    StackReserve() {}

    /**
     * Makes sure that the calling thread's stack has {@value #BYTES} bytes left.
     *
     * @throws StackOverflowError when it has not
     */
    public static void require() {
        FRAME.touch(false);
    }

    /**
     * The same with as much again, for who calls the slow path, which requires its own, and must
     * not be left in the middle.
     *
     * @throws StackOverflowError when it has not
     */
    public static void requireForCaller() {
        TWICE.touch(false);
    }

    /** {@code if (again) touch(false);}: compiled code that calls nothing touches nothing. */
    abstract void touch(boolean again);

    private static StackReserve generate(int frameBytes) {
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        ClassDesc base = ClassDesc.of(StackReserve.class.getName());
        ClassDesc name = ClassDesc.of(StackReserve.class.getPackageName(), "StackFrame");
        MethodTypeDesc type = MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_boolean);
        byte[] bytes =
                ClassFile.of()
                        .build(
                                name,
                                frame ->
                                        frame.withSuperclass(base)
                                                .withMethodBody(
                                                        ConstantDescs.INIT_NAME,
                                                        ConstantDescs.MTD_void,
                                                        0,
                                                        code -> construct(code, base))
                                                .withMethodBody(
                                                        "touch",
                                                        type,
                                                        0,
                                                        code ->
                                                                touch(
                                                                        code,
                                                                        name,
                                                                        type,
                                                                        frameBytes)));
        try {
            return (StackReserve)
                    lookup.defineHiddenClass(bytes, true)
                            .lookupClass()
                            .getDeclaredConstructor()
                            .newInstance();
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private static void construct(CodeBuilder code, ClassDesc base) {
        code.aload(0)
                .invokespecial(base, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                .return_();
    }

    private static void touch(
            CodeBuilder code, ClassDesc name, MethodTypeDesc type, int frameBytes) {
        for (int i = 0; i < PADDING; i++) {
            code.nop();
        }
        code.iload(1).ifThen(then -> then.aload(0).iconst_0().invokevirtual(name, "touch", type));
        code.iconst_0().istore(frameBytes / Long.BYTES).return_();
    }
}
