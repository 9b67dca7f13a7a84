package dev.kernelalloc.compatibility;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.classfile.AccessFlags;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFile.ConstantPoolSharingOption;
import java.lang.classfile.ClassFile.DebugElementsOption;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeModel;
import java.lang.classfile.FieldModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.reflect.AccessFlag;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;

/** The declarations of a jar without code: what a compiler needs, and japicmp. */
final class Baseline {

    /** The time of every entry, so that equal declarations are equal files. */
    private static final LocalDateTime TIME = LocalDateTime.of(2026, 1, 1, 0, 0);

    private static final ClassFile CLASSES =
            ClassFile.of(DebugElementsOption.DROP_DEBUG, ConstantPoolSharingOption.NEW_POOL);

    private static final ClassTransform DECLARATIONS =
            ClassTransform.dropping(Baseline::isHidden)
                    .andThen(
                            ClassTransform.transformingMethods(
                                    MethodTransform.dropping(e -> e instanceof CodeModel)));

    private Baseline() {}

    /**
     * Writes the declarations of the packages that the module exports, and of the types that those
     * extend.
     */
    static void write(Path library, Set<String> exported, Path baseline) throws IOException {
        Map<String, ClassModel> declared = new TreeMap<>();
        try (JarFile jar = new JarFile(library.toFile())) {
            for (JarEntry entry : jar.stream().toList()) {
                String name = entry.getName();
                int slash = name.lastIndexOf('/');
                if (name.endsWith(".class")
                        && slash > 0
                        && exported.contains(name.substring(0, slash).replace('/', '.'))) {
                    addWithSupertypes(jar, name, declared);
                }
            }
        }
        try (OutputStream file = Files.newOutputStream(baseline);
                JarOutputStream out = new JarOutputStream(file)) {
            for (Map.Entry<String, ClassModel> type : declared.entrySet()) {
                JarEntry entry = new JarEntry(type.getKey());
                entry.setTimeLocal(TIME);
                out.putNextEntry(entry);
                out.write(CLASSES.transformClass(type.getValue(), DECLARATIONS));
            }
        }
    }

    private static void addWithSupertypes(
            JarFile jar, String name, Map<String, ClassModel> declared) throws IOException {
        JarEntry entry = jar.getJarEntry(name);
        if (entry == null || declared.containsKey(name)) {
            return; // of Java, or added before
        }
        ClassModel model;
        try (InputStream bytes = jar.getInputStream(entry)) {
            model = CLASSES.parse(bytes.readAllBytes());
        }
        if (model.findAttribute(Attributes.enclosingMethod()).isPresent()) {
            return; // local or anonymous: it has no callers
        }
        declared.put(name, model);
        for (ClassEntry type : model.interfaces()) {
            addWithSupertypes(jar, type.asInternalName() + ".class", declared);
        }
        if (model.superclass().isPresent()) {
            addWithSupertypes(jar, model.superclass().get().asInternalName() + ".class", declared);
        }
    }

    private static boolean isHidden(ClassElement element) {
        return switch (element) {
            case MethodModel method -> isHidden(method.flags());
            case FieldModel field -> isHidden(field.flags());
            default -> false;
        };
    }

    private static boolean isHidden(AccessFlags flags) {
        return flags.has(AccessFlag.PRIVATE) || flags.has(AccessFlag.SYNTHETIC);
    }
}
