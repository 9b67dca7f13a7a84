package dev.kernelalloc.struct;

import static dev.kernelalloc.struct.AccessCode.SEGMENT;
import static dev.kernelalloc.struct.AccessCode.desc;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.INIT_NAME;

import org.jspecify.annotations.Nullable;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.constant.DynamicCallSiteDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.CallSite;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Writes the class of the boxes of a struct. For an interface it is box and view at once: its
 * accessors reach the memory of the box itself. For a record it reads and writes each member there.
 *
 * <p>No code of the user runs between the check of an access and its touch of the memory: it could
 * close the box. So a record inside is read and written member by member, as its constructor is the
 * user's; and what is not the work of one handle goes through the segment of the box, which checks
 * each touch by itself: views inside, whole arrays of structs, and texts whose characters are
 * encoded by a foreign charset or which a foreign allocator is asked to hold.
 */
final class BoxCode extends AccessorCode implements Consumer<ClassBuilder> {

    private static final ClassDesc STRUCT_TYPE = desc(StructType.class);
    private static final MethodTypeDesc READ = MethodTypeDesc.of(CD_Object, CD_long);
    private static final MethodTypeDesc WRITE = MethodTypeDesc.of(CD_void, CD_long, CD_Object);

    private final Access access;
    private final ClassData data;
    private final ClassDesc self;
    private final BoxBase base;
    private final ClassDesc superclass;

    /** Links an access: the JIT inlines less for that than for an exact call of a handle. */
    private final DirectMethodHandleDesc link;

    /**
     * The records that the class reads and writes member by member; it grows as code is written.
     */
    private final List<StructModel> records = new ArrayList<>();

    BoxCode(StructModel model, ClassData data, ClassDesc self, BoxBase base) {
        super(model);
        this.access = new Access(data);
        this.self = self;
        this.base = base;
        this.data = data;
        this.superclass = desc(base.type());
        this.link =
                ConstantDescs.ofCallsiteBootstrap(
                        superclass, "link$", desc(CallSite.class), desc(MethodHandle.class));
    }

    /** A method of the class, apart from the accessors of an interface. */
    private enum Method {
        CONSTRUCTOR,
        BYTE_SIZE,
        BYTE_ALIGNMENT,
        TYPE,
        GET_VIEW,
        AS_SEGMENT,
        GET_RECORD,
        SET_RECORD,
        GET_RECORD_OF_VIEWS
    }

    @Override
    public void accept(ClassBuilder builder) {
        builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC).withSuperclass(superclass);
        builder.withMethodBody(INIT_NAME, TypeCode.INIT_BOX, 0, new Writer(Method.CONSTRUCTOR));
        add(builder, "byteSize$", ClassFile.ACC_PROTECTED, CD_long, Method.BYTE_SIZE);
        add(builder, "byteAlignment$", ClassFile.ACC_PROTECTED, CD_long, Method.BYTE_ALIGNMENT);
        add(builder, "type", ClassFile.ACC_PUBLIC, STRUCT_TYPE, Method.TYPE);
        if (model.isView()) {
            builder.withInterfaceSymbols(desc(model.type()), desc(StructView.class));
            add(builder, "get", ClassFile.ACC_PUBLIC, CD_Object, Method.GET_VIEW);
            add(builder, "asSegment", ClassFile.ACC_PUBLIC, SEGMENT, Method.AS_SEGMENT);
            writeAccessors(builder, access);
        } else if (model.isCopied()) {
            add(builder, "get", ClassFile.ACC_PUBLIC, CD_Object, Method.GET_RECORD);
            builder.withMethodBody(
                    "set",
                    MethodTypeDesc.of(CD_void, CD_Object),
                    ClassFile.ACC_PUBLIC,
                    new Writer(Method.SET_RECORD));
        } else {
            add(builder, "get", ClassFile.ACC_PUBLIC, CD_Object, Method.GET_RECORD_OF_VIEWS);
        }
        for (int i = 0; i < records.size(); i++) {
            writeMembers(builder, records.get(i));
        }
    }

    /** A method without parameters. */
    private void add(
            ClassBuilder builder, String name, int flags, ClassDesc result, Method method) {
        builder.withMethodBody(name, MethodTypeDesc.of(result), flags, new Writer(method));
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
                    code.aload(0).aload(1).aload(2).aload(3).lload(4);
                    code.invokespecial(superclass, INIT_NAME, TypeCode.INIT_BOX).return_();
                }
                case BYTE_SIZE -> code.loadConstant(model.layout().byteSize()).lreturn();
                case BYTE_ALIGNMENT -> code.loadConstant(model.layout().byteAlignment()).lreturn();
                case TYPE -> {
                    access.load(code, model.structType(), StructType.class);
                    code.areturn();
                }
                case GET_VIEW -> code.aload(0).areturn();
                case AS_SEGMENT -> {
                    pushSegment(code);
                    code.areturn();
                }
                case GET_RECORD -> {
                    code.aload(0).lconst_0();
                    code.invokevirtual(self, reader(model), READ).areturn();
                }
                case SET_RECORD -> {
                    code.aload(0).lconst_0().aload(1);
                    code.invokevirtual(self, writer(model), WRITE).return_();
                }
                case GET_RECORD_OF_VIEWS -> {
                    // Its views outlive the call, so they are views of the segment.
                    access.load(code, model.structType(), StructType.class);
                    pushSegment(code);
                    code.invokevirtual(STRUCT_TYPE, "get", MethodTypeDesc.of(CD_Object, SEGMENT));
                    code.areturn();
                }
            }
        }
    }

    // ---- records, member by member --------------------------------------------------------------

    private String reader(StructModel record) {
        return "read$" + number(record);
    }

    private String writer(StructModel record) {
        return "write$" + number(record);
    }

    private int number(StructModel record) {
        int known = records.indexOf(record);
        if (known >= 0) {
            return known;
        }
        records.add(record);
        return records.size() - 1;
    }

    /**
     * Each member has two methods of its own, as in {@link TypeCode}: so none is too large to be
     * inlined.
     */
    private void writeMembers(ClassBuilder builder, StructModel record) {
        int flags = ClassFile.ACC_PRIVATE;
        builder.withMethodBody(
                reader(record), READ, flags, new RecordWriter(this, record, null, true));
        builder.withMethodBody(
                writer(record), WRITE, flags, new RecordWriter(this, record, null, false));
        for (Member member : record.members()) {
            builder.withMethodBody(
                    name("get$", record, member),
                    getter(member),
                    flags,
                    new RecordWriter(this, record, member, true));
            builder.withMethodBody(
                    name("set$", record, member),
                    WRITE,
                    flags,
                    new RecordWriter(this, record, member, false));
        }
    }

    /**
     * Writes a method that reads or writes a record.
     *
     * @param member of it; null for all of them
     */
    private record RecordWriter(
            BoxCode box, StructModel record, @Nullable Member member, boolean reads)
            implements Consumer<CodeBuilder> {

        @Override
        public void accept(CodeBuilder code) {
            if (member == null) {
                box.all(code, record, reads);
            } else if (reads) {
                box.read(code, member);
            } else {
                box.write(code, record, member);
            }
        }
    }

    private void all(CodeBuilder code, StructModel record, boolean reads) {
        if (reads) {
            code.new_(desc(record.type())).dup();
            for (Member member : record.members()) {
                code.aload(0).lload(1);
                code.invokevirtual(self, name("get$", record, member), getter(member));
            }
            AccessCode.construct(code, record);
            code.areturn();
        } else {
            for (Member member : record.members()) {
                code.aload(0).lload(1).aload(3);
                code.invokevirtual(self, name("set$", record, member), WRITE);
            }
            code.return_();
        }
    }

    private void read(CodeBuilder code, Member member) {
        if (member.isArray()) {
            access.getArray(code, member, place(member));
        } else {
            access.get(code, member, place(member));
        }
        code.return_(TypeKind.from(AccessCode.component(member)));
    }

    private void write(CodeBuilder code, StructModel record, Member member) {
        if (member == record.members().getFirst()) {
            AccessCode.requireValue(code, 3);
        }
        AccessCode.Push value =
                new AccessCode.Component(
                        3, desc(record.type()), member.name(), AccessCode.component(member));
        if (member.isArray()) {
            access.setArray(code, member, place(member), value);
        } else {
            access.set(code, member, place(member), value);
        }
        code.return_();
    }

    /** The location of a member, in a method whose first parameter is an offset. */
    private AccessCode.Location place(Member member) {
        return new AccessCode.Location(
                new SegmentOfBox(this), new AccessCode.Offset(1, member.offset()));
    }

    private record SegmentOfBox(BoxCode box) implements AccessCode.Push {
        @Override
        public void on(CodeBuilder code) {
            box.pushSegment(code);
        }
    }

    private String name(String action, StructModel record, Member member) {
        return action + number(record) + "$" + member.name();
    }

    private static MethodTypeDesc getter(Member member) {
        return MethodTypeDesc.of(AccessCode.component(member), CD_long);
    }

    /** Calls a handle with what is on the stack: first the box. */
    private void invoke(CodeBuilder code, MethodHandle ofBox) {
        code.invokedynamic(
                DynamicCallSiteDesc.of(
                        link,
                        "access",
                        ofBox.type().describeConstable().orElseThrow(),
                        data.constant(ofBox, MethodHandle.class)));
    }

    // ---- places ---------------------------------------------------------------------------------

    @Override
    void pushSegment(CodeBuilder code) {
        code.aload(0).invokevirtual(superclass, "segment", MethodTypeDesc.of(SEGMENT));
    }

    @Override
    void pushOffset(CodeBuilder code) {
        code.lconst_0();
    }

    /** Accesses of the box itself, by handles that take it. */
    private final class Access extends AccessCode {

        Access(ClassData data) {
            super(data);
        }

        @Override
        void invoke(
                CodeBuilder code,
                ValueLayout layout,
                VarHandle.AccessMode mode,
                Location place,
                List<Push> arguments) {
            MethodHandle access = layout.varHandle().toMethodHandle(mode);
            call(code, access, layout.byteSize(), place, arguments);
        }

        @Override
        void call(
                CodeBuilder code,
                MethodHandle handle,
                long bytes,
                Location place,
                List<Push> arguments) {
            MethodHandle ofBox = base.access().apply(handle, model.layout().byteSize() - bytes + 1);
            code.aload(0);
            place.offset().on(code);
            for (Push argument : arguments) {
                argument.on(code);
            }
            BoxCode.this.invoke(code, ofBox);
        }

        @Override
        void getStruct(CodeBuilder code, StructModel nested, Location place) {
            if (!nested.isCopied()) {
                super.getStruct(code, nested, place);
                return;
            }
            code.aload(0);
            place.offset().on(code);
            code.invokevirtual(self, reader(nested), READ);
        }

        @Override
        void setStruct(CodeBuilder code, StructModel nested, Location place, Push value) {
            if (!nested.isCopied()) {
                super.setStruct(code, nested, place, value);
                return;
            }
            code.aload(0);
            place.offset().on(code);
            value.on(code);
            code.invokevirtual(self, writer(nested), WRITE);
        }

        @Override
        void get(CodeBuilder code, Member member, Location place) {
            if (callsForeignCode(member)) {
                throughSegment().get(code, member, place);
            } else {
                super.get(code, member, place);
            }
        }

        @Override
        void set(CodeBuilder code, Member member, Location place, Push value) {
            if (callsForeignCode(member)) {
                throughSegment().set(code, member, place, value);
            } else {
                super.set(code, member, place, value);
            }
        }

        private static boolean callsForeignCode(Member member) {
            return switch (member.element()) {
                case Element.TextPointer _ -> true;
                case Element.Characters characters -> characters.text().hasForeignCharset();
                default -> false;
            };
        }

        @Override
        void getArray(CodeBuilder code, Member member, Location place) {
            if (member.element() instanceof Element.Nested || callsForeignCode(member)) {
                throughSegment().getArray(code, member, place);
            } else {
                super.getArray(code, member, place);
            }
        }

        @Override
        void setArray(CodeBuilder code, Member member, Location place, Push value) {
            if (member.element() instanceof Element.Nested || callsForeignCode(member)) {
                throughSegment().setArray(code, member, place, value);
            } else {
                super.setArray(code, member, place, value);
            }
        }

        private AccessCode throughSegment() {
            return new AccessCode(data);
        }
    }
}
