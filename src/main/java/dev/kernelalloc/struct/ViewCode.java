package dev.kernelalloc.struct;

import static dev.kernelalloc.struct.AccessCode.SEGMENT;
import static dev.kernelalloc.struct.AccessCode.desc;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_String;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandle;
import java.util.function.Consumer;

/** Writes the class of a live view: a segment, an offset, and the accessors of the interface. */
final class ViewCode extends AccessorCode implements Consumer<ClassBuilder> {

    /** The static method that makes a view. */
    static final String NEW = "new";

    private static final MethodTypeDesc CONSTRUCTOR = MethodTypeDesc.of(CD_void, SEGMENT, CD_long);

    private static final String SEGMENT_FIELD = "segment";
    private static final String OFFSET_FIELD = "offset";

    private final AccessCode access;
    private final ClassDesc self;

    ViewCode(StructModel model, ClassData data, ClassDesc self) {
        super(model);
        this.access = new AccessCode(data);
        this.self = self;
    }

    @Override
    public void accept(ClassBuilder builder) {
        builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC)
                .withInterfaceSymbols(desc(model.type()), desc(StructView.class))
                .withField(SEGMENT_FIELD, SEGMENT, ClassFile.ACC_PRIVATE | ClassFile.ACC_FINAL)
                .withField(OFFSET_FIELD, CD_long, ClassFile.ACC_PRIVATE | ClassFile.ACC_FINAL)
                .withMethodBody(INIT_NAME, CONSTRUCTOR, 0, this::constructor)
                .withMethodBody(
                        NEW,
                        MethodTypeDesc.of(CD_Object, SEGMENT, CD_long),
                        ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC,
                        this::newView)
                .withMethodBody(
                        "asSegment",
                        MethodTypeDesc.of(SEGMENT),
                        ClassFile.ACC_PUBLIC,
                        this::asSegment)
                .withMethodBody(
                        "toString", MethodTypeDesc.of(CD_String), ClassFile.ACC_PUBLIC, this::show);
        writeAccessors(builder, access);
    }

    private void constructor(CodeBuilder code) {
        code.aload(0).invokespecial(CD_Object, INIT_NAME, MTD_void);
        code.aload(0).aload(1).putfield(self, SEGMENT_FIELD, SEGMENT);
        code.aload(0).lload(2).putfield(self, OFFSET_FIELD, CD_long);
        code.return_();
    }

    /** Not a handle on the constructor: the JIT makes more code of that. */
    private void newView(CodeBuilder code) {
        code.new_(self).dup().aload(0).lload(1);
        code.invokespecial(self, INIT_NAME, CONSTRUCTOR).areturn();
    }

    private void asSegment(CodeBuilder code) {
        pushSegment(code);
        pushOffset(code);
        if (model.isFlexible()) {
            slice(code).areturn();
        } else {
            code.loadConstant(model.layout().byteSize());
            sliceOfSize(code).areturn();
        }
    }

    private void show(CodeBuilder code) {
        MethodHandle show = Codec.ofText(model);
        access.load(code, show, MethodHandle.class);
        pushSegment(code);
        pushOffset(code);
        AccessCode.invokeExact(code, show);
        code.areturn();
    }

    @Override
    void pushSegment(CodeBuilder code) {
        code.aload(0).getfield(self, SEGMENT_FIELD, SEGMENT);
    }

    @Override
    void pushOffset(CodeBuilder code) {
        code.aload(0).getfield(self, OFFSET_FIELD, CD_long);
    }
}
