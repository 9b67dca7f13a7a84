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
import java.util.function.BiConsumer;

/** Writes the class of a {@link StructType}: the one class whose code gets and sets this struct. */
final class TypeCode {

    private static final ClassDesc STRUCT_TYPE = desc(StructType.class);
    private static final DirectMethodHandleDesc LINK =
            ConstantDescs.ofCallsiteBootstrap(
                    STRUCT_TYPE, "link", desc(CallSite.class), desc(MethodHandle.class));
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

    private TypeCode(StructModel model, ClassData data) {
        this.model = model;
        this.data = data;
        this.access = new AccessCode(data);
    }

    /** Emits the access of {@code get} and {@code set} at a place. */
    private interface Body {
        void get(CodeBuilder code, AccessCode.Push offset);

        void set(CodeBuilder code, AccessCode.Push offset, int value);
    }

    /**
     * @param self the name of the class
     */
    static BiConsumer<ClassBuilder, ClassData> ofRecord(StructModel model, ClassDesc self) {
        return (builder, data) -> {
            TypeCode type = new TypeCode(model, data);
            RecordBody body = type.new RecordBody(self);
            type.write(builder, body);
            body.writeMembers(builder);
        };
    }

    /**
     * @param newView makes a view: {@code (MemorySegment, long offset)Object}
     */
    static BiConsumer<ClassBuilder, ClassData> ofView(StructModel model, MethodHandle newView) {
        return (builder, data) -> {
            TypeCode type = new TypeCode(model, data);
            type.write(builder, type.new ViewBody(newView));
        };
    }

    private void write(ClassBuilder builder, Body body) {
        builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC)
                .withSuperclass(STRUCT_TYPE);
        builder.withMethodBody(
                INIT_NAME,
                MTD_void,
                0,
                code -> {
                    code.aload(0);
                    access.load(code, model, Object.class);
                    code.invokespecial(
                            STRUCT_TYPE, INIT_NAME, MethodTypeDesc.of(CD_void, CD_Object));
                    code.return_();
                });
        builder.withMethodBody(
                "type",
                MethodTypeDesc.of(CD_Class),
                ClassFile.ACC_PUBLIC,
                code -> {
                    access.load(code, model.type(), Class.class);
                    code.areturn();
                });
        builder.withMethodBody(
                "companion",
                MethodTypeDesc.of(CD_Object),
                ClassFile.ACC_PROTECTED,
                code -> code.loadConstant(data.result(Codec.ofCompanion(model))).areturn());
        builder.withMethodBody(
                "isView",
                MethodTypeDesc.of(CD_boolean),
                ClassFile.ACC_PUBLIC,
                code -> code.loadConstant(model.isView() ? 1 : 0).ireturn());
        constant(builder, "byteSize", model.layout().byteSize());
        constant(builder, "byteAlignment", model.layout().byteAlignment());
        if (model.layout().byteSize() <= MAX_BYTES_CLEARED_BY_WORDS) {
            builder.withMethodBody(
                    "clear",
                    MethodTypeDesc.of(CD_void, SEGMENT),
                    ClassFile.ACC_PUBLIC,
                    this::clear);
        }
        builder.withMethodBody(
                "get",
                MethodTypeDesc.of(CD_Object, SEGMENT),
                ClassFile.ACC_PUBLIC,
                code -> body.get(code, CodeBuilder::lconst_0));
        builder.withMethodBody(
                "get",
                MethodTypeDesc.of(CD_Object, SEGMENT, CD_long),
                ClassFile.ACC_PUBLIC,
                code -> body.get(code, c -> c.lload(2)));
        builder.withMethodBody(
                "set",
                MethodTypeDesc.of(CD_void, SEGMENT, CD_Object),
                ClassFile.ACC_PUBLIC,
                code -> body.set(code, CodeBuilder::lconst_0, 2));
        builder.withMethodBody(
                "set",
                MethodTypeDesc.of(CD_void, SEGMENT, CD_long, CD_Object),
                ClassFile.ACC_PUBLIC,
                code -> body.set(code, c -> c.lload(2), 4));
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

    private static void constant(ClassBuilder builder, String name, long value) {
        builder.withMethodBody(
                name,
                MethodTypeDesc.of(CD_long),
                ClassFile.ACC_PUBLIC,
                code -> code.loadConstant(value).lreturn());
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

        void writeMembers(ClassBuilder builder) {
            int flags = ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC;
            for (Member member : model.members()) {
                builder.withMethodBody(
                        GET + member.name(), getter(member), flags, code -> get(code, member));
                builder.withMethodBody(
                        SET + member.name(), SETTER, flags, code -> set(code, member));
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
            code.invokespecial(
                    type,
                    INIT_NAME,
                    MethodTypeDesc.of(
                            CD_void, model.members().stream().map(this::componentType).toList()));
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
            code.return_(TypeKind.from(componentType(member)));
        }

        private void set(CodeBuilder code, Member member) {
            AccessCode.Push component =
                    c ->
                            c.aload(3)
                                    .checkcast(type)
                                    .invokevirtual(
                                            type,
                                            member.name(),
                                            MethodTypeDesc.of(componentType(member)));
            if (member.isArray()) {
                access.setArray(code, member, place(member), component);
            } else {
                access.set(code, member, place(member), component);
            }
            code.return_();
        }

        private MethodTypeDesc getter(Member member) {
            return MethodTypeDesc.of(componentType(member), SEGMENT, CD_long);
        }

        private ClassDesc componentType(Member member) {
            ClassDesc element = desc(member.element().carrier());
            return member.isArray() ? element.arrayType(member.lengths().length) : element;
        }

        /**
         * The location of a member, in a method whose first parameters are a segment and an offset.
         */
        private static AccessCode.Place place(Member member) {
            return new AccessCode.Place(
                    code -> code.aload(0),
                    code -> code.lload(1).loadConstant(member.offset()).ladd());
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
    }
}
