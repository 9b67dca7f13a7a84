package dev.kernelalloc.struct;

import static dev.kernelalloc.struct.AccessCode.SEGMENT;
import static dev.kernelalloc.struct.AccessCode.desc;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Writes the class of the boxes of a struct. For an interface it is box and view at once: its
 * accessors reach the memory of the box itself. For a record it reads and writes each member there.
 *
 * <p>No code of the user runs between the check of an access and its touch of the memory: it could
 * close the box. So a record inside is read and written member by member, as its constructor is the
 * user's; and what is not the work of one handle goes through the segment of the box, which checks
 * each touch by itself: views inside, and whole arrays of structs.
 */
final class BoxCode extends AccessorCode implements BiConsumer<ClassBuilder, ClassData> {

    private static final ClassDesc STRUCT_TYPE = desc(StructType.class);
    private static final MethodTypeDesc READ = MethodTypeDesc.of(CD_Object, CD_long);
    private static final MethodTypeDesc WRITE = MethodTypeDesc.of(CD_void, CD_long, CD_Object);

    private final ClassDesc self;
    private final BoxBase base;
    private final ClassDesc superclass;

    /**
     * The records that the class reads and writes member by member; it grows as code is written.
     */
    private final List<StructModel> records = new ArrayList<>();

    BoxCode(StructModel model, ClassDesc self, BoxBase base) {
        super(model);
        this.self = self;
        this.base = base;
        this.superclass = desc(base.type());
    }

    @Override
    public void accept(ClassBuilder builder, ClassData data) {
        Access access = new Access(data);
        builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC).withSuperclass(superclass);
        builder.withMethodBody(
                INIT_NAME,
                MTD_void,
                0,
                code -> {
                    code.aload(0);
                    access.load(code, base.key(), Object.class);
                    code.invokespecial(
                            superclass, INIT_NAME, MethodTypeDesc.of(CD_void, CD_Object));
                    code.return_();
                });
        builder.withMethodBody(
                "fresh$",
                MethodTypeDesc.of(superclass),
                ClassFile.ACC_PROTECTED,
                code -> code.new_(self).dup().invokespecial(self, INIT_NAME, MTD_void).areturn());
        constant(builder, "byteSize$", model.layout().byteSize());
        constant(builder, "byteAlignment$", model.layout().byteAlignment());
        builder.withMethodBody(
                "type",
                MethodTypeDesc.of(STRUCT_TYPE),
                ClassFile.ACC_PUBLIC,
                code -> {
                    access.load(code, model.structType(), StructType.class);
                    code.areturn();
                });
        if (model.isView()) {
            writeView(builder, access);
        } else if (model.isCopied()) {
            writeRecord(builder);
        } else {
            writeRecordOfViews(builder, access);
        }
        for (int i = 0; i < records.size(); i++) {
            writeMembers(builder, access, records.get(i));
        }
    }

    private static void constant(ClassBuilder builder, String name, long value) {
        builder.withMethodBody(
                name,
                MethodTypeDesc.of(CD_long),
                ClassFile.ACC_PROTECTED,
                code -> code.loadConstant(value).lreturn());
    }

    // ---- what a box gets and sets ---------------------------------------------------------------

    private void writeView(ClassBuilder builder, AccessCode access) {
        builder.withInterfaceSymbols(desc(model.type()), desc(StructView.class));
        writeGet(builder, code -> code.aload(0));
        builder.withMethodBody(
                "asSegment",
                MethodTypeDesc.of(SEGMENT),
                ClassFile.ACC_PUBLIC,
                code -> {
                    pushSegment(code);
                    code.areturn();
                });
        writeAccessors(builder, access);
    }

    private void writeRecord(ClassBuilder builder) {
        writeGet(
                builder, code -> code.aload(0).lconst_0().invokevirtual(self, reader(model), READ));
        builder.withMethodBody(
                "set",
                MethodTypeDesc.of(CD_void, CD_Object),
                ClassFile.ACC_PUBLIC,
                code ->
                        code.aload(0)
                                .lconst_0()
                                .aload(1)
                                .invokevirtual(self, writer(model), WRITE)
                                .return_());
    }

    /** Its views outlive the call, so they are views of the segment. */
    private void writeRecordOfViews(ClassBuilder builder, AccessCode access) {
        writeGet(
                builder,
                code -> {
                    access.load(code, model.structType(), StructType.class);
                    pushSegment(code);
                    code.invokevirtual(STRUCT_TYPE, "get", MethodTypeDesc.of(CD_Object, SEGMENT));
                });
    }

    private static void writeGet(ClassBuilder builder, AccessCode.Push value) {
        builder.withMethodBody(
                "get",
                MethodTypeDesc.of(CD_Object),
                ClassFile.ACC_PUBLIC,
                code -> {
                    value.on(code);
                    code.areturn();
                });
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
    private void writeMembers(ClassBuilder builder, AccessCode access, StructModel record) {
        ClassDesc type = desc(record.type());
        builder.withMethodBody(
                reader(record),
                READ,
                ClassFile.ACC_PRIVATE,
                code -> {
                    code.new_(type).dup();
                    for (Member member : record.members()) {
                        code.aload(0).lload(1);
                        code.invokevirtual(self, name("get$", record, member), getter(member));
                    }
                    code.invokespecial(
                            type,
                            INIT_NAME,
                            MethodTypeDesc.of(
                                    CD_void,
                                    record.members().stream().map(BoxCode::component).toList()));
                    code.areturn();
                });
        builder.withMethodBody(
                writer(record),
                WRITE,
                ClassFile.ACC_PRIVATE,
                code -> {
                    for (Member member : record.members()) {
                        code.aload(0).lload(1).aload(3);
                        code.invokevirtual(self, name("set$", record, member), WRITE);
                    }
                    code.return_();
                });
        for (Member member : record.members()) {
            AccessCode.Place place =
                    new AccessCode.Place(
                            this::pushSegment,
                            code -> code.lload(1).loadConstant(member.offset()).ladd());
            builder.withMethodBody(
                    name("get$", record, member),
                    getter(member),
                    ClassFile.ACC_PRIVATE,
                    code -> {
                        if (member.isArray()) {
                            access.getArray(code, member, place);
                        } else {
                            access.get(code, member, place);
                        }
                        code.return_(TypeKind.from(component(member)));
                    });
            AccessCode.Push value =
                    code ->
                            code.aload(3)
                                    .checkcast(type)
                                    .invokevirtual(
                                            type,
                                            member.name(),
                                            MethodTypeDesc.of(component(member)));
            builder.withMethodBody(
                    name("set$", record, member),
                    WRITE,
                    ClassFile.ACC_PRIVATE,
                    code -> {
                        if (member.isArray()) {
                            access.setArray(code, member, place, value);
                        } else {
                            access.set(code, member, place, value);
                        }
                        code.return_();
                    });
        }
    }

    private String name(String action, StructModel record, Member member) {
        return action + number(record) + "$" + member.name();
    }

    private static MethodTypeDesc getter(Member member) {
        return MethodTypeDesc.of(component(member), CD_long);
    }

    private static ClassDesc component(Member member) {
        ClassDesc element = desc(member.element().carrier());
        return member.isArray() ? element.arrayType(member.lengths().length) : element;
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
                Place place,
                List<Push> arguments) {
            MethodHandle access = layout.varHandle().toMethodHandle(mode);
            call(code, access, layout.byteSize(), place, arguments);
        }

        @Override
        void call(
                CodeBuilder code,
                MethodHandle handle,
                long bytes,
                Place place,
                List<Push> arguments) {
            MethodHandle ofBox = base.access().apply(handle, bytes);
            load(code, ofBox, MethodHandle.class);
            code.aload(0);
            place.offset().on(code);
            for (Push argument : arguments) {
                argument.on(code);
            }
            invokeExact(code, ofBox);
        }

        @Override
        void getStruct(CodeBuilder code, StructModel nested, Place place) {
            if (!nested.isCopied()) {
                super.getStruct(code, nested, place);
                return;
            }
            code.aload(0);
            place.offset().on(code);
            code.invokevirtual(self, reader(nested), READ);
        }

        @Override
        void setStruct(CodeBuilder code, StructModel nested, Place place, Push value) {
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
        void getArray(CodeBuilder code, Member member, Place place) {
            if (member.element() instanceof Element.Nested) {
                throughSegment().getArray(code, member, place);
            } else {
                super.getArray(code, member, place);
            }
        }

        @Override
        void setArray(CodeBuilder code, Member member, Place place, Push value) {
            if (member.element() instanceof Element.Nested) {
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
