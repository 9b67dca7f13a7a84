package dev.kernelalloc.soak;

import dev.kernelalloc.soak.Leaf.Step;
import dev.kernelalloc.soak.Shape.Field;
import dev.kernelalloc.soak.Shape.Kind;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Array;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** Records made from the bytes of the model, and their values. */
final class Records {

    private Records() {}

    /** Makes the record whose members have the values of the model. */
    static Object of(Class<?> type, Shape shape, byte[] image) throws Exception {
        return of(type, shape, List.of(), image);
    }

    private static Object of(Class<?> type, Shape shape, List<Step> steps, byte[] image)
            throws Exception {
        RecordComponent[] components = type.getRecordComponents();
        Class<?>[] types = new Class<?>[components.length];
        Object[] values = new Object[components.length];
        for (int i = 0; i < components.length; i++) {
            types[i] = components[i].getType();
            values[i] = member(types[i], shape, i, List.of(), steps, image);
        }
        return type.getDeclaredConstructor(types).newInstance(values);
    }

    private static Object member(
            Class<?> type,
            Shape of,
            int number,
            List<Integer> indexes,
            List<Step> steps,
            byte[] image)
            throws Exception {
        Field field = of.fields().get(number);
        if (indexes.size() < field.lengths().size()) {
            int length = field.lengths().get(indexes.size());
            Object array = Array.newInstance(type.getComponentType(), length);
            for (int i = 0; i < length; i++) {
                List<Integer> longer = new ArrayList<>(indexes);
                longer.add(i);
                Array.set(
                        array,
                        i,
                        member(type.getComponentType(), of, number, longer, steps, image));
            }
            return array;
        }
        List<Step> longer = new ArrayList<>(steps);
        longer.add(new Step(of, field, indexes));
        return field.kind() instanceof Kind.Nested(Shape shape)
                ? of(type, shape, longer, image)
                : argument(type, Leaf.at(longer).value(image));
    }

    /** Returns a value of the model as an accessor takes it. */
    static Object argument(Class<?> type, Object value) {
        if (type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(value)) {
                    return constant;
                }
            }
        }
        return type == MemorySegment.class && value instanceof String hexadecimal
                ? MemorySegment.ofArray(HexFormat.of().parseHex(hexadecimal))
                : value;
    }

    /** Returns the value of a leaf in a record. */
    static Object value(Object record, Leaf leaf) throws Exception {
        Object value = record;
        for (Step step : leaf.steps()) {
            value = value.getClass().getMethod(step.field().name()).invoke(value);
            for (int index : step.indexes()) {
                value = Array.get(value, index);
            }
        }
        return found(leaf, value);
    }

    /** Returns what an accessor has returned as the model has it. */
    static Object found(Leaf leaf, Object value) {
        return leaf.kind() instanceof Kind.Raw
                ? HexFormat.of().formatHex(((MemorySegment) value).toArray(ValueLayout.JAVA_BYTE))
                : Scalar.normal(value);
    }
}
