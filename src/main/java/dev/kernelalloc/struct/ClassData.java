package dev.kernelalloc.struct;

import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.constant.DynamicConstantDesc;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;

/**
 * The live objects that a generated class uses as constants. Its code loads each with {@code ldc},
 * so the object is a constant for the compiler, and the class can use objects that its module could
 * not name.
 */
final class ClassData {

    private static final DirectMethodHandleDesc CLASS_DATA_AT =
            ConstantDescs.ofConstantBootstrap(
                    ClassDesc.of(MethodHandles.class.getName()),
                    "classDataAt",
                    ConstantDescs.CD_Object,
                    ConstantDescs.CD_int);

    private final List<Object> values = new ArrayList<>();

    /** The first of the objects is the struct: {@link StructType#linkNewBox} relies on it. */
    ClassData(StructModel model) {
        values.add(model);
    }

    /**
     * @param type a type that the module of the generated class can name
     */
    DynamicConstantDesc<?> constant(Object value, Class<?> type) {
        int index = values.indexOf(value);
        if (index < 0) {
            index = values.size();
            values.add(value);
        }
        return DynamicConstantDesc.ofNamed(
                CLASS_DATA_AT,
                ConstantDescs.DEFAULT_NAME,
                type.describeConstable().orElseThrow(),
                index);
    }

    List<Object> values() {
        return List.copyOf(values);
    }
}
