package dev.kernelalloc.struct;

import static dev.kernelalloc.struct.AccessCode.SEGMENT;
import static dev.kernelalloc.struct.AccessCode.desc;

import static java.lang.constant.ConstantDescs.CD_Class;
import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.constant.DynamicCallSiteDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.CallSite;
import java.lang.invoke.MethodHandle;
import java.util.Objects;
import java.util.function.Consumer;

/** Writes the class of a {@link StructType}: the one class whose code gets and sets this struct. */
final class TypeCode implements Consumer<ClassBuilder> {

    private static final ClassDesc STRUCT_TYPE = desc(StructType.class);
    private static final DirectMethodHandleDesc LINK =
            ConstantDescs.ofCallsiteBootstrap(
                    STRUCT_TYPE, "link", desc(CallSite.class), desc(MethodHandle.class));
    private static final DirectMethodHandleDesc LINK_NEW_BOX =
            ConstantDescs.ofCallsiteBootstrap(STRUCT_TYPE, "linkNewBox", desc(CallSite.class));
    private static final MethodTypeDesc NEW_BOX =
            MethodTypeDesc.of(CD_Object, CD_Object, CD_Object, CD_Object, CD_long);

    /** The type of the constructors of boxes. */
    static final MethodTypeDesc INIT_BOX = NEW_BOX.changeReturnType(CD_void);

    private static final MethodTypeDesc MEMORY = MethodTypeDesc.of(SEGMENT, CD_long, CD_long);
    private static final MethodTypeDesc REINTERPRET = MethodTypeDesc.of(SEGMENT, CD_long);
    private static final MethodTypeDesc NEW_VIEW = MethodTypeDesc.of(CD_Object, SEGMENT, CD_long);
    private static final MethodTypeDesc CHECK_INDEX = MethodTypeDesc.of(CD_long, CD_long, CD_long);

    /** The methods of a record's members: {@code get$x(segment, offset)} and so on. */
    private static final String GET = "get$";

    private static final String SET = "set$";
    private static final MethodTypeDesc SETTER =
            MethodTypeDesc.of(CD_void, SEGMENT, CD_long, CD_Object);

    /** The number of words from which the JDK's own operation is as fast. */
    private static final long MAX_BYTES_CLEARED_BY_WORDS = 1 << 16;

    private final StructModel model;
    private final ClassData data;
    private final AccessCode access;
    private final Body body;

    /**
     * Of a record.
     *
     * @param self the name of the class
     */
    TypeCode(StructModel model, ClassData data, ClassDesc self) {
        this.model = model;
        this.data = data;
        this.access = new AccessCode(data);
        this.body = new RecordBody(self);
    }

    /**
     * Of an interface.
     *
     * @param newView makes a view: {@code (MemorySegment, long offset)Object}
     */
    TypeCode(StructModel model, ClassData data, MethodHandle newView) {
        this.model = model;
        this.data = data;
        this.access = new AccessCode(data);
        this.body = new ViewBody(newView);
    }

    /** Emits the access of {@code get} and {@code set} at a place. */
    private interface Body {
        void get(CodeBuilder code, AccessCode.Push offset);

        void set(CodeBuilder code, AccessCode.Push offset, int value);

        /** Adds the methods that these two call. */
        void writeHelpers(ClassBuilder builder);
    }

    /** A method of the class. */
    private enum Method {
        CONSTRUCTOR,
        TYPE,
        NEW_BOX,
        IS_VIEW,
        BYTE_SIZE,
        BYTE_ALIGNMENT,
        FOLLOWS_POINTERS,
        CLEAR,
        MEMORY,
        GET,
        GET_AT,
        SET,
        SET_AT
    }

    @Override
    public void accept(ClassBuilder builder) {
        builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC)
                .withSuperclass(STRUCT_TYPE);
        builder.withMethodBody(INIT_NAME, MTD_void, 0, new Writer(Method.CONSTRUCTOR));
        add(builder, "type", MethodTypeDesc.of(CD_Class), Method.TYPE);
        builder.withMethodBody(
                "newBox", NEW_BOX, ClassFile.ACC_PROTECTED, new Writer(Method.NEW_BOX));
        builder.withMethodBody(
                "memory", MEMORY, ClassFile.ACC_PROTECTED, new Writer(Method.MEMORY));
        add(builder, "isView", MethodTypeDesc.of(CD_boolean), Method.IS_VIEW);
        add(builder, "byteSize", MethodTypeDesc.of(CD_long), Method.BYTE_SIZE);
        add(builder, "byteAlignment", MethodTypeDesc.of(CD_long), Method.BYTE_ALIGNMENT);
        add(builder, "followsPointers", MethodTypeDesc.of(CD_boolean), Method.FOLLOWS_POINTERS);
        if (model.layout().byteSize() <= MAX_BYTES_CLEARED_BY_WORDS) {
            add(builder, "clear", MethodTypeDesc.of(CD_void, SEGMENT), Method.CLEAR);
        }
        add(builder, "get", MethodTypeDesc.of(CD_Object, SEGMENT), Method.GET);
        add(builder, "get", MethodTypeDesc.of(CD_Object, SEGMENT, CD_long), Method.GET_AT);
        add(builder, "set", MethodTypeDesc.of(CD_void, SEGMENT, CD_Object), Method.SET);
        add(builder, "set", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, CD_Object), Method.SET_AT);
        body.writeHelpers(builder);
    }

    private void add(ClassBuilder builder, String name, MethodTypeDesc type, Method method) {
        builder.withMethodBody(name, type, ClassFile.ACC_PUBLIC, new Writer(method));
    }

    /** Writes one method. */
    private final class Writer implements Consumer<CodeBuilder> {

        private final Method method;

        Writer(Method method) {
            this.method = method;
        }

        @Override
        public void accept(CodeBuilder code) {
            switch (method) {
                case CONSTRUCTOR -> {
                    code.aload(0);
                    access.load(code, model, Object.class);
                    code.invokespecial(
                            STRUCT_TYPE, INIT_NAME, MethodTypeDesc.of(CD_void, CD_Object));
                    code.return_();
                }
                case TYPE -> {
                    access.load(code, model.type(), Class.class);
                    code.areturn();
                }
                case NEW_BOX -> {
                    code.aload(1).aload(2).aload(3).lload(4);
                    code.invokedynamic(DynamicCallSiteDesc.of(LINK_NEW_BOX, "newBox", NEW_BOX));
                    code.areturn();
                }
                case IS_VIEW -> code.loadConstant(model.isView() ? 1 : 0).ireturn();
                case BYTE_SIZE -> code.loadConstant(model.layout().byteSize()).lreturn();
                case BYTE_ALIGNMENT -> code.loadConstant(model.layout().byteAlignment()).lreturn();
                case FOLLOWS_POINTERS ->
                        code.loadConstant(model.followsPointers() ? 1 : 0).ireturn();
                case CLEAR -> clear(code);
                case MEMORY -> {
                    // Here, in the module of the struct, which the JVM holds to account.
                    code.lload(1).invokestatic(SEGMENT, "ofAddress", REINTERPRET, true);
                    code.lload(3).invokeinterface(SEGMENT, "reinterpret", REINTERPRET);
                    code.areturn();
                }
                case GET -> body.get(code, new AccessCode.Zero());
                case GET_AT -> body.get(code, new AccessCode.Offset(2, 0));
                case SET -> body.set(code, new AccessCode.Zero(), 2);
                case SET_AT -> body.set(code, new AccessCode.Offset(2, 0), 4);
            }
        }
    }

    /**
     * Emits a loop over words, and the rest. The JIT unrolls it to stores for few words, and to
     * vectors for many. It is not one line per word: each would take seven hundred of the 18,000
     * nodes after which HotSpot stops inlining.
     */
    private void clear(CodeBuilder code) {
        int bytes = (int) model.layout().byteSize();
        int words = bytes & -Long.BYTES;
        if (words > 0) {
            Label head = code.newLabel();
            Label end = code.newLabel();
            code.iconst_0().istore(2);
            code.labelBinding(head).iload(2).loadConstant(words).if_icmpge(end);
            store(code, "JAVA_LONG_UNALIGNED", ValueLayout.OfLong.class, long.class, 2);
            code.iinc(2, Long.BYTES).goto_(head).labelBinding(end);
        }
        code.loadConstant(words).istore(2);
        for (int i = words; i < bytes; i++) {
            store(code, "JAVA_BYTE", ValueLayout.OfByte.class, byte.class, 2);
            code.iinc(2, 1);
        }
        code.return_();
    }

    /** Writes a zero at the offset in a local variable. */
    private static void store(
            CodeBuilder code, String layout, Class<?> layoutType, Class<?> carrier, int offset) {
        code.aload(1).getstatic(desc(ValueLayout.class), layout, desc(layoutType));
        code.iload(offset).i2l();
        if (carrier == long.class) {
            code.lconst_0();
        } else {
            code.iconst_0();
        }
        code.invokeinterface(
                SEGMENT,
                "set",
                MethodTypeDesc.of(CD_void, desc(layoutType), CD_long, desc(carrier)));
    }

    /**
     * A record: all members are read, or written, in their order.
     *
     * <p>Each member has two methods of its own, and {@code get} and {@code set} call them. That
     * keeps every method under the size that HotSpot inlines regardless of its profile ({@code
     * MaxInlineSize}, 35 bytes of code), for records of up to five members; larger ones are inlined
     * where the profile shows that they are called often.
     */
    private final class RecordBody implements Body {

        private final ClassDesc type = desc(model.type());
        private final ClassDesc self;

        RecordBody(ClassDesc self) {
            this.self = self;
        }

        @Override
        public void writeHelpers(ClassBuilder builder) {
            int flags = ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC;
            for (Member member : model.members()) {
                builder.withMethodBody(
                        GET + member.name(),
                        getter(member),
                        flags,
                        new MemberWriter(this, member, true));
                builder.withMethodBody(
                        SET + member.name(), SETTER, flags, new MemberWriter(this, member, false));
            }
        }

        @Override
        public void get(CodeBuilder code, AccessCode.Push offset) {
            code.new_(type).dup();
            for (Member member : model.members()) {
                code.aload(1);
                offset.on(code);
                code.invokestatic(self, GET + member.name(), getter(member));
            }
            AccessCode.construct(code, model);
            code.areturn();
        }

        @Override
        public void set(CodeBuilder code, AccessCode.Push offset, int value) {
            for (Member member : model.members()) {
                code.aload(1);
                offset.on(code);
                code.aload(value);
                code.invokestatic(self, SET + member.name(), SETTER);
            }
            code.return_();
        }

        private void get(CodeBuilder code, Member member) {
            if (member.isArray()) {
                access.getArray(code, member, place(member));
            } else {
                access.get(code, member, place(member));
            }
            code.return_(TypeKind.from(AccessCode.component(member)));
        }

        private void set(CodeBuilder code, Member member) {
            if (member == model.members().getFirst()) {
                AccessCode.requireValue(code, 3);
            }
            AccessCode.Push component =
                    new AccessCode.Component(3, type, member.name(), AccessCode.component(member));
            if (member.isArray()) {
                access.setArray(code, member, place(member), component);
            } else {
                access.set(code, member, place(member), component);
            }
            code.return_();
        }

        private MethodTypeDesc getter(Member member) {
            return MethodTypeDesc.of(AccessCode.component(member), SEGMENT, CD_long);
        }

        /**
         * The location of a member, in a method whose first parameters are a segment and an offset.
         */
        private static AccessCode.Location place(Member member) {
            return new AccessCode.Location(
                    new AccessCode.Reference(0), new AccessCode.Offset(1, member.offset()));
        }
    }

    /** Writes the method that reads or writes one member of a record. */
    private record MemberWriter(RecordBody body, Member member, boolean reads)
            implements Consumer<CodeBuilder> {
        @Override
        public void accept(CodeBuilder code) {
            if (reads) {
                body.get(code, member);
            } else {
                body.set(code, member);
            }
        }
    }

    /** An interface: a new view, or the bytes of another one. */
    private final class ViewBody implements Body {

        private final MethodHandle newView;

        ViewBody(MethodHandle newView) {
            this.newView = newView;
        }

        @Override
        public void get(CodeBuilder code, AccessCode.Push offset) {
            // The struct must lie within the segment, not only the members that happen to be
            // touched.
            // Written as an index check, which the compiler can move out of a loop.
            offset.on(code);
            code.aload(1).invokeinterface(SEGMENT, "byteSize", MethodTypeDesc.of(CD_long));
            code.loadConstant(model.layout().byteSize() - 1).lsub();
            code.invokestatic(desc(Objects.class), "checkIndex", CHECK_INDEX).pop2();
            code.aload(1);
            offset.on(code);
            code.invokedynamic(
                    DynamicCallSiteDesc.of(
                            LINK, "view", NEW_VIEW, data.constant(newView, MethodHandle.class)));
            code.areturn();
        }

        @Override
        public void set(CodeBuilder code, AccessCode.Push offset, int value) {
            MethodHandle copy = Codec.ofView(model);
            access.load(code, copy, MethodHandle.class);
            code.aload(1);
            offset.on(code);
            code.aload(value);
            AccessCode.invokeExact(code, copy);
            code.return_();
        }

        @Override
        public void writeHelpers(ClassBuilder builder) {}
    }
}
