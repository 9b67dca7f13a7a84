package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.function.Consumer;

/**
 * Generates the classes of a struct: its {@link StructType}, and for an interface its view.
 *
 * <p>They are hidden classes in the nest of the lookup class, so that they reach private nested
 * types. They live in the module of the caller, and therefore name only {@code java.base}, this
 * exported package, and the caller's own types; all else comes as {@link ClassData}. The compiler
 * trusts the final fields of hidden classes, so a view in a constant costs nothing.
 */
final class ClassGenerator {

    private ClassGenerator() {}

    static StructType<?> generate(MethodHandles.Lookup lookup, StructModel model) {
        try {
            ClassDesc name = name(lookup, model, "Struct");
            ClassData data = new ClassData(model);
            TypeCode code;
            if (model.isView()) {
                ClassDesc nameOfView = name(lookup, model, "View");
                ClassData dataOfView = new ClassData(model);
                MethodHandles.Lookup view =
                        define(
                                lookup,
                                nameOfView,
                                dataOfView,
                                new ViewCode(model, dataOfView, nameOfView));
                model.showIn(view.lookupClass());
                MethodHandle newView =
                        view.findStatic(view.lookupClass(), ViewCode.NEW, Codec.OBJECT_GETTER);
                code = new TypeCode(model, data, newView);
            } else {
                code = new TypeCode(model, data, name);
            }
            MethodHandles.Lookup type = define(lookup, name, data, code);
            return (StructType<?>)
                    type.findConstructor(type.lookupClass(), MethodType.methodType(void.class))
                            .invoke();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new LinkageError("generating the classes of " + model.type(), e);
        }
    }

    /**
     * A class of boxes, defined when the first box is made.
     *
     * @return its constructor, as {@link StructType#newBox}; null where accessors have names that
     *     boxes need, where the bytes of a box are not those of the struct alone, and where the
     *     class would not extend {@code base}: its class loader may have a class of the same name,
     *     which would get the key and the handles
     */
    static @Nullable MethodHandle generateBox(StructModel model, BoxBase base) {
        MethodHandles.Lookup lookup = model.lookup();
        if (lookup == null
                || model.isFlexible()
                || !base.hasNoNameOf(model)
                || !base.isSeenBy(lookup)) {
            return null;
        }
        ClassDesc name = name(lookup, model, "Box");
        try {
            ClassData data = new ClassData(model);
            MethodHandles.Lookup box =
                    define(lookup, name, data, new BoxCode(model, data, name, base));
            if (model.isView()) {
                ViewStructs.put(box.lookupClass(), model);
            }
            MethodHandle constructor =
                    box.findConstructor(
                            box.lookupClass(),
                            MethodType.methodType(
                                    void.class,
                                    Object.class,
                                    Object.class,
                                    Object.class,
                                    long.class));
            return constructor.asType(constructor.type().changeReturnType(Object.class));
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("generating the boxes of " + model.type(), e);
        }
    }

    private static ClassDesc name(MethodHandles.Lookup lookup, StructModel model, String suffix) {
        return ClassDesc.of(
                lookup.lookupClass().getPackageName(), model.type().getSimpleName() + "$" + suffix);
    }

    private static MethodHandles.Lookup define(
            MethodHandles.Lookup lookup,
            ClassDesc name,
            ClassData data,
            Consumer<ClassBuilder> code)
            throws IllegalAccessException {
        byte[] bytes = ClassFile.of().build(name, code);
        return lookup.defineHiddenClassWithClassData(
                bytes, data.values(), true, MethodHandles.Lookup.ClassOption.NESTMATE);
    }
}
