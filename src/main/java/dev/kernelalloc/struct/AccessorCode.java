package dev.kernelalloc.struct;

import static dev.kernelalloc.struct.AccessCode.SEGMENT;
import static dev.kernelalloc.struct.AccessCode.desc;

import static java.lang.constant.ConstantDescs.CD_long;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Writes the accessors of an interface, over memory that a subclass can reach. */
abstract class AccessorCode {

    final StructModel model;

    AccessorCode(StructModel model) {
        this.model = model;
    }

    /** Emits the segment of the struct. */
    abstract void pushSegment(CodeBuilder code);

    /** Pushes where in the segment it begins, in bytes. */
    abstract void pushOffset(CodeBuilder code);

    void writeAccessors(ClassBuilder builder, AccessCode access) {
        for (Member member : model.members()) {
            for (Accessor accessor : member.description().accessors()) {
                builder.withMethodBody(
                        accessor.method().getName(),
                        descriptor(accessor.method()),
                        ClassFile.ACC_PUBLIC,
                        code -> accessor(code, access, member, accessor));
            }
        }
    }

    private void accessor(CodeBuilder code, AccessCode access, Member member, Accessor accessor) {
        Method method = accessor.method();
        int last = method.getParameterCount() - 1;
        int indexes = member.lengths().length;
        AccessCode.Location start = place(member, method, 0);
        switch (accessor.action()) {
            case Accessor.Ordinary.GET -> {
                if (member.element() instanceof Element.Bytes bytes) {
                    pushLocation(code, place(member, method, indexes));
                    code.loadConstant(bytes.layout().byteSize());
                    sliceOfSize(code);
                } else {
                    access.get(code, member, place(member, method, indexes));
                }
            }
            case Accessor.Ordinary.SET ->
                    access.set(
                            code, member, place(member, method, indexes), parameter(method, last));
            case Accessor.Ordinary.GET_ARRAY -> access.getArray(code, member, start);
            case Accessor.Ordinary.SET_ARRAY ->
                    access.setArray(code, member, start, parameter(method, last));
            case Accessor.Ordinary.SLICE -> {
                pushLocation(code, start);
                if (member.flexible()) {
                    slice(code);
                } else {
                    code.loadConstant(member.byteSize());
                    sliceOfSize(code);
                }
            }
            case Accessor.Operation operation -> {
                List<AccessCode.Push> arguments = new ArrayList<>();
                for (int i = indexes; i <= last; i++) {
                    arguments.add(parameter(method, i));
                }
                ValueLayout layout = ((Element.Plain) member.element()).layout();
                access.invoke(
                        code, layout, operation.mode(), place(member, method, indexes), arguments);
            }
        }
        code.return_(TypeKind.from(method.getReturnType()));
    }

    // ---- places ---------------------------------------------------------------------------------

    /** The place of a member, or of the element that the first parameters of a method select. */
    private AccessCode.Location place(Member member, Method method, int indexes) {
        return new AccessCode.Location(
                this::pushSegment,
                code -> {
                    pushOffset(code);
                    code.loadConstant(member.offset()).ladd();
                    for (int i = 0; i < indexes; i++) {
                        parameter(method, i).on(code);
                        if (method.getParameterTypes()[i] == int.class) {
                            code.i2l();
                        }
                        pushLength(code, member, i);
                        code.invokestatic(
                                desc(Objects.class),
                                "checkIndex",
                                MethodTypeDesc.of(CD_long, CD_long, CD_long));
                        code.loadConstant(member.stride(i)).lmul().ladd();
                    }
                });
    }

    private void pushLength(CodeBuilder code, Member member, int dimension) {
        if (dimension > 0 || !member.flexible()) {
            code.loadConstant(member.lengths()[dimension]);
            return;
        }
        pushSegment(code);
        code.invokeinterface(SEGMENT, "byteSize", MethodTypeDesc.of(CD_long));
        pushOffset(code);
        code.lsub().loadConstant(member.offset()).lsub().loadConstant(member.stride(0)).ldiv();
    }

    private static void pushLocation(CodeBuilder code, AccessCode.Location place) {
        place.segment().on(code);
        place.offset().on(code);
    }

    static CodeBuilder slice(CodeBuilder code) {
        return code.invokeinterface(SEGMENT, "asSlice", MethodTypeDesc.of(SEGMENT, CD_long));
    }

    static CodeBuilder sliceOfSize(CodeBuilder code) {
        return code.invokeinterface(
                SEGMENT, "asSlice", MethodTypeDesc.of(SEGMENT, CD_long, CD_long));
    }

    private static AccessCode.Push parameter(Method method, int index) {
        return code ->
                code.loadLocal(
                        TypeKind.from(method.getParameterTypes()[index]),
                        code.parameterSlot(index));
    }

    private static MethodTypeDesc descriptor(Method method) {
        ClassDesc[] parameters = new ClassDesc[method.getParameterCount()];
        for (int i = 0; i < parameters.length; i++) {
            parameters[i] = desc(method.getParameterTypes()[i]);
        }
        return MethodTypeDesc.of(desc(method.getReturnType()), parameters);
    }
}
