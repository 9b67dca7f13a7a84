package dev.kernelalloc.struct;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_String;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.INIT_NAME;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Opcode;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Writes the code that reads or writes a member, the same in every generated class: the use of a
 * constant handle, or of a constant struct.
 *
 * <p>What writes code is named classes, not lambdas: a process links a lambda at its first use, and
 * a first type with its boxes would need forty, 0.4 ms each.
 */
class AccessCode {

    static final ClassDesc SEGMENT = desc(MemorySegment.class);

    private static final ClassDesc METHOD_HANDLE = desc(MethodHandle.class);
    private static final ClassDesc VAR_HANDLE = desc(VarHandle.class);
    private static final ClassDesc STRUCT_TYPE = desc(StructType.class);
    private static final ClassDesc OBJECTS = desc(Objects.class);
    private static final MethodTypeDesc REQUIRE_NON_NULL =
            MethodTypeDesc.of(CD_Object, CD_Object, CD_String);

    final ClassData data;

    /** One codec a member, which its getter and its setter share. */
    private final Map<Member, Codec> codecs = new IdentityHashMap<>();

    AccessCode(ClassData data) {
        this.data = data;
    }

    /** Pushes a value on the operand stack. */
    @FunctionalInterface
    interface Push {
        void on(CodeBuilder code);
    }

    /** Pushes a reference that must not be null, which the exception then names. */
    record Present(Push value, String name) implements Push {
        @Override
        public void on(CodeBuilder code) {
            value.on(code);
            code.loadConstant(name).invokestatic(OBJECTS, "requireNonNull", REQUIRE_NON_NULL);
        }
    }

    /** Pushes a reference in a local variable. */
    record Reference(int slot) implements Push {
        @Override
        public void on(CodeBuilder code) {
            code.aload(slot);
        }
    }

    /** Pushes the sum of a long in a local variable and a constant. */
    record Offset(int slot, long plus) implements Push {
        @Override
        public void on(CodeBuilder code) {
            code.lload(slot);
            if (plus != 0) {
                code.loadConstant(plus).ladd();
            }
        }
    }

    /** Pushes the long 0. */
    static final class Zero implements Push {
        @Override
        public void on(CodeBuilder code) {
            code.lconst_0();
        }
    }

    /**
     * Refuses null in a local variable, by a branch that is never taken otherwise: with a call for
     * every value, writing a record to a box took 1.4 times as long.
     */
    static void requireValue(CodeBuilder code, int slot) {
        code.aload(slot)
                .ifThen(
                        Opcode.IFNULL,
                        refusal -> {
                            new Present(new Reference(slot), "value").on(refusal);
                            refusal.pop();
                        });
    }

    /** Pushes a component of the record in a local variable. */
    record Component(int slot, ClassDesc declaring, String name, ClassDesc type) implements Push {
        @Override
        public void on(CodeBuilder code) {
            code.aload(slot).checkcast(declaring);
            code.invokevirtual(declaring, name, MethodTypeDesc.of(type));
        }
    }

    /**
     * The location of a value.
     *
     * @param segment emits the segment
     * @param offset emits the offset in bytes
     */
    record Location(Push segment, Push offset) {}

    /** Pushes one value of a member: of an array, one element. */
    void get(CodeBuilder code, Member member, Location place) {
        Class<?> carrier = member.element().carrier();
        if (member.element() instanceof Element.Plain plain) {
            ValueLayout layout = member.accessLayout(plain.layout());
            invoke(code, layout, member.mode().reading(), place, List.of());
        } else if (member.element() instanceof Element.Nested nested) {
            getStruct(code, nested.model(), place);
            code.checkcast(desc(carrier));
        } else {
            get(code, codec(member), bytes(member), carrier, place);
        }
    }

    /** Pushes the value of a struct inside, as an {@code Object}. */
    void getStruct(CodeBuilder code, StructModel nested, Location place) {
        load(code, nested.structType(), StructType.class);
        place(code, place);
        code.invokevirtual(STRUCT_TYPE, "get", MethodTypeDesc.of(CD_Object, SEGMENT, CD_long));
    }

    /** Writes a struct inside. */
    void setStruct(CodeBuilder code, StructModel nested, Location place, Push value) {
        load(code, nested.structType(), StructType.class);
        place(code, place);
        value.on(code);
        code.invokevirtual(
                STRUCT_TYPE, "set", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, CD_Object));
    }

    /** The bytes that one value of a member has a part in. */
    private static long bytes(Member member) {
        return member.bits() > 0 ? member.byteSize() : member.element().layout().byteSize();
    }

    /** Writes one value of a member: of an array, one element. */
    void set(CodeBuilder code, Member member, Location place, Push value) {
        if (member.element() instanceof Element.Plain plain) {
            ValueLayout layout = member.accessLayout(plain.layout());
            invoke(code, layout, member.mode().writing(), place, List.of(value));
        } else if (member.element() instanceof Element.Nested nested) {
            setStruct(code, nested.model(), place, new Present(value, member.name()));
        } else {
            set(code, codec(member), bytes(member), place, value);
        }
    }

    /** Pushes a Java array that is a copy of a whole array. */
    void getArray(CodeBuilder code, Member member, Location place) {
        Class<?> array = member.element().carrier();
        for (int i = 0; i < member.lengths().length; i++) {
            array = array.arrayType();
        }
        get(code, Codec.ofArray(member), member.byteSize(), array, place);
    }

    /** Writes a whole array from a Java array. */
    void setArray(CodeBuilder code, Member member, Location place, Push value) {
        set(code, Codec.ofArray(member), member.byteSize(), place, value);
    }

    /** Pushes the result of an operation of {@link VarHandle}. */
    void invoke(
            CodeBuilder code,
            ValueLayout layout,
            VarHandle.AccessMode mode,
            Location place,
            List<Push> arguments) {
        VarHandle handle = layout.varHandle();
        load(code, handle, VarHandle.class);
        place(code, place);
        for (Push argument : arguments) {
            argument.on(code);
        }
        code.invokevirtual(
                VAR_HANDLE,
                mode.methodName(),
                handle.accessModeType(mode).describeConstable().orElseThrow());
    }

    /** Pushes an object that the class was generated with. */
    void load(CodeBuilder code, Object constant, Class<?> type) {
        code.loadConstant(data.constant(constant, type));
    }

    private Codec codec(Member member) {
        return codecs.computeIfAbsent(member, Codec::ofElement);
    }

    private void get(CodeBuilder code, Codec codec, long bytes, Class<?> carrier, Location place) {
        call(code, codec.getter(), bytes, place, List.of());
        if (!carrier.isPrimitive()) {
            code.checkcast(desc(carrier));
        }
    }

    private void set(CodeBuilder code, Codec codec, long bytes, Location place, Push value) {
        call(code, codec.setter(), bytes, place, List.of(value));
    }

    /**
     * Pushes the result of a handle.
     *
     * @param handle {@code (MemorySegment, long offset, arguments)}
     * @param bytes that it touches
     */
    void call(
            CodeBuilder code,
            MethodHandle handle,
            long bytes,
            Location place,
            List<Push> arguments) {
        load(code, handle, MethodHandle.class);
        place(code, place);
        for (Push argument : arguments) {
            argument.on(code);
        }
        invokeExact(code, handle);
    }

    static void invokeExact(CodeBuilder code, MethodHandle handle) {
        code.invokevirtual(
                METHOD_HANDLE, "invokeExact", handle.type().describeConstable().orElseThrow());
    }

    private static void place(CodeBuilder code, Location place) {
        place.segment.on(code);
        place.offset.on(code);
    }

    /** The type of a record's component: of an array, a Java array. */
    static ClassDesc component(Member member) {
        ClassDesc element = desc(member.element().carrier());
        return member.isArray() ? element.arrayType(member.lengths().length) : element;
    }

    /** Constructs the record of which all components are on the stack. */
    static void construct(CodeBuilder code, StructModel record) {
        ClassDesc[] components = new ClassDesc[record.members().size()];
        for (int i = 0; i < components.length; i++) {
            components[i] = component(record.members().get(i));
        }
        code.invokespecial(desc(record.type()), INIT_NAME, MethodTypeDesc.of(CD_void, components));
    }

    static ClassDesc desc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }
}
