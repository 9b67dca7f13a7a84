package dev.kernelalloc;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget.MethodCallTarget;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.importer.ClassFileImporter;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.map.MapEntries;
import dev.kernelalloc.observe.AllocatorMXBean;
import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.source.MemorySource;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.struct.StructView;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.module.ModuleDescriptor;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The floors of the house: nothing imports upward, nothing runs in a circle, little is shown. */
class HouseTest {

    private static final String ROOT = "dev.kernelalloc";

    private static final JavaClasses HOUSE =
            new ClassFileImporter()
                    .importPath(Path.of(System.getProperty("project.basedir"), "target/classes"));

    /** For each package what it may use of the house, itself aside. */
    private static final Map<String, Set<String>> FLOORS =
            Map.ofEntries(
                    Map.entry("bulk", Set.of()),
                    Map.entry("os", Set.of("bulk")),
                    Map.entry("event", Set.of()),
                    Map.entry("struct", Set.of("bulk")),
                    Map.entry("call", Set.of("bulk", "struct")),
                    Map.entry("physical", Set.of()),
                    Map.entry("source", Set.of()),
                    Map.entry("heap", Set.of("bulk", "os")),
                    Map.entry("frames", Set.of("bulk", "os", "heap", "physical")),
                    Map.entry("leak", Set.of("os", "heap", "event", "physical")),
                    Map.entry(
                            "core",
                            Set.of(
                                    "bulk",
                                    "os",
                                    "heap",
                                    "frames",
                                    "struct",
                                    "physical",
                                    "leak",
                                    "source")),
                    Map.entry("arena", Set.of("bulk", "os", "heap", "core", "leak")),
                    Map.entry(
                            "",
                            Set.of(
                                    "bulk",
                                    "os",
                                    "heap",
                                    "frames",
                                    "struct",
                                    "physical",
                                    "leak",
                                    "core",
                                    "source",
                                    "arena")),
                    Map.entry("map", Set.of("", "bulk", "os", "heap", "struct", "core")),
                    Map.entry("primitive", Set.of("", "bulk", "struct", "physical", "core")),
                    Map.entry("observe", Set.of("", "heap")));

    /** The values of the public package that floors below it use. */
    private static final Map<String, Set<Class<?>>> SHARED =
            Map.of(
                    "leak",
                    Set.of(
                            AllocationException.class,
                            LeakReport.class,
                            LiveBlocksException.class,
                            Pressure.class,
                            Tracking.class),
                    "core",
                    Set.of(
                            AllocationException.class,
                            Hardening.class,
                            LeakReport.class,
                            LiveBlocksException.class,
                            Pressure.class,
                            Tracking.class),
                    "arena",
                    Set.of(AllocationException.class, LeakReport.class));

    private static final List<String> OTHER_PROJECTS =
            List.of("arrow", "benchmarks", "cli", "junit", "micrometer", "netty", "redeploy");

    /** The public types, and those that need package access to them. */
    private static final int MOST_TYPES_OF_THE_ROOT = 35;

    @Test
    void everyPackageHasAFloor() {
        Set<String> packages =
                HOUSE.stream()
                        .map(JavaClass::getPackageName)
                        .filter(name -> name.startsWith(ROOT))
                        .map(HouseTest::floor)
                        .collect(Collectors.toSet());
        assertThat(packages).isEqualTo(FLOORS.keySet());
    }

    @Test
    void nothingImportsUpward() {
        FLOORS.forEach(
                (floor, below) -> {
                    DescribedPredicate<JavaClass> notBelow =
                            DescribedPredicate.describe(
                                    "on a floor that " + floor + " does not stand on",
                                    type ->
                                            type.getPackageName().startsWith(ROOT)
                                                    && !floor(type.getPackageName()).equals(floor)
                                                    && !below.contains(floor(type.getPackageName()))
                                                    && !isShared(floor, type));
                    noClasses()
                            .that(are(resideInAPackage(packageOf(floor))))
                            .should()
                            .dependOnClassesThat(notBelow)
                            .check(HOUSE);
                });
    }

    private static boolean isShared(String floor, JavaClass type) {
        return SHARED.getOrDefault(floor, Set.of()).stream()
                .map(Class::getName)
                .anyMatch(
                        name ->
                                type.getName().equals(name)
                                        || type.getName().startsWith(name + "$"));
    }

    @Test
    void theRootHoldsWhatUsersRead() {
        assertThat(
                        HOUSE.stream()
                                .filter(type -> type.getPackageName().equals(ROOT))
                                .filter(JavaClass::isTopLevelClass)
                                .filter(type -> !type.getSimpleName().equals("package-info"))
                                .map(JavaClass::getSimpleName))
                .hasSizeLessThanOrEqualTo(MOST_TYPES_OF_THE_ROOT);
    }

    /**
     * A class there would see what is private to the package, and could not be on a module path.
     */
    @Test
    void otherProjects_defineNoClassInPackagesOfTheLibrary() throws IOException {
        Path root = Path.of(System.getProperty("project.basedir"));
        for (String project : OTHER_PROJECTS) {
            try (Stream<Path> files = Files.walk(root.resolve(project))) {
                assertThat(
                                files.filter(Files::isDirectory)
                                        .filter(HouseTest::holdsSources)
                                        .map(Path::toString))
                        .as(project)
                        .isNotEmpty()
                        .noneMatch(
                                directory ->
                                        FLOORS.keySet().stream()
                                                .map(floor -> packageOf(floor).replace('.', '/'))
                                                .anyMatch(directory::endsWith));
            }
        }
    }

    private static boolean holdsSources(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.anyMatch(file -> file.toString().endsWith(".java"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void packagesMakeNoCircles() {
        slices().matching(ROOT + ".(*)..").should().beFreeOfCycles().check(HOUSE);
    }

    @Test
    void anAllocatorNeverMentionsABox() {
        noClasses()
                .that()
                .haveSimpleNameEndingWith("Allocator")
                .or()
                .haveSimpleName("CheckedBlocks")
                .should()
                .dependOnClassesThat()
                .haveNameMatching(".*(Box|OwnedBlock|Native(Slice|Array|Vec|String)|GrowableBlock)")
                .check(HOUSE);
    }

    @Test
    void structsNeedOnlyTheJavaBase() {
        noClasses()
                .that()
                .resideInAPackage(packageOf("struct"))
                .should()
                .dependOnClassesThat(
                        DescribedPredicate.not(
                                resideInAnyPackage(
                                        "java..",
                                        "org.jspecify..",
                                        packageOf("struct"),
                                        packageOf("bulk"))))
                .check(HOUSE);
    }

    /** Addresses that a program follows are its own affair: code in its module makes that call. */
    @Test
    void restrictedCalls_areInTheOperatingSystemPackage() {
        noClasses()
                .that()
                .resideOutsideOfPackage(packageOf("os"))
                .should()
                .callMethodWhere(
                        DescribedPredicate.describe("it is restricted", HouseTest::isRestricted))
                .check(HOUSE);
    }

    /** One is: it asks where the Java heap lies, and can neither wait nor fault. */
    @Test
    void noOtherCallIsCriticalAndNothingIsUnsafe() {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName(ROOT + ".os.JavaHeap$Handles")
                .should()
                .callMethod(Linker.Option.class, "critical", boolean.class)
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage("sun..", "jdk.internal..")
                .check(HOUSE);
    }

    @Test
    void onlyPublicPackagesAreExported() {
        ModuleDescriptor module = KernelAllocator.class.getModule().getDescriptor();
        assertThat(module.exports())
                .allMatch(exports -> !exports.isQualified())
                .extracting(ModuleDescriptor.Exports::source)
                .containsExactlyInAnyOrder(
                        ROOT,
                        ROOT + ".call",
                        ROOT + ".event",
                        ROOT + ".map",
                        ROOT + ".observe",
                        ROOT + ".primitive",
                        ROOT + ".source",
                        ROOT + ".struct",
                        ROOT + ".physical");
        assertThat(module.opens()).isEmpty();
        assertThat(module.requires())
                .extracting(ModuleDescriptor.Requires::name)
                .containsExactlyInAnyOrder(
                        "java.base", "jdk.jfr", "java.management", "org.jspecify");
    }

    /**
     * Sizes, addresses and origins come from final code only: a type that others can extend is one
     * whose answers no owner of memory trusts, or whose constructor refuses them.
     */
    @Test
    void whatOthersCanExtendIsKnown() {
        ModuleDescriptor module = KernelAllocator.class.getModule().getDescriptor();
        Set<String> exported =
                module.exports().stream()
                        .map(ModuleDescriptor.Exports::source)
                        .collect(Collectors.toSet());
        assertThat(
                        HOUSE.stream()
                                .filter(type -> exported.contains(type.getPackageName()))
                                .map(JavaClass::reflect)
                                .filter(HouseTest::isExtensible))
                .containsExactlyInAnyOrder(
                        StructType.class, // its constructor refuses every other subclass
                        ConfinedBox.class, // the same
                        ExtentVisitor.class, // called with addresses, returns nothing
                        MapEntries.Action.class, // called with entries, returns nothing
                        MapEntries.Condition.class, // called in the middle of one guarded operation
                        StructView.class, // where it comes from outside, its segment alone is used
                        MemorySource.class, // what it returns is checked
                        AllocatorMXBean.Statistics.class, // the same
                        AllocatorMXBean.class); // management proxies implement it; nothing takes it
    }

    /** A record, or a constructor, with many values cannot get another one compatibly. */
    @Test
    void noConstructorThatUsersCallHasManyParameters() {
        Set<String> exported =
                KernelAllocator.class.getModule().getDescriptor().exports().stream()
                        .map(ModuleDescriptor.Exports::source)
                        .collect(Collectors.toSet());
        assertThat(
                        HOUSE.stream()
                                .filter(type -> exported.contains(type.getPackageName()))
                                .map(JavaClass::reflect)
                                .filter(type -> isVisible(type.getModifiers()))
                                .flatMap(type -> Arrays.stream(type.getDeclaredConstructors()))
                                .filter(constructor -> isVisible(constructor.getModifiers()))
                                .filter(constructor -> constructor.getParameterCount() > 8))
                .isEmpty();
    }

    private static boolean isExtensible(Class<?> type) {
        boolean visible =
                Stream.<Class<?>>iterate(type, Objects::nonNull, Class::getEnclosingClass)
                        .allMatch(outer -> isVisible(outer.getModifiers()));
        if (!visible
                || type.isAnnotation()
                || type.isSealed()
                || Modifier.isFinal(type.getModifiers())) {
            return false;
        }
        return type.isInterface()
                || Arrays.stream(type.getDeclaredConstructors())
                        .anyMatch(constructor -> isVisible(constructor.getModifiers()));
    }

    private static boolean isVisible(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }

    /** In one piece they hold up every safepoint; few bytes of a known number may be. */
    @Test
    void memoryIsCopiedAndFilledAndComparedInPieces() {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName(BulkMemory.class.getName())
                .and()
                .doNotHaveFullyQualifiedName(ROOT + ".arena.ArenaSlots") // 64 KiB at most
                .and()
                .doNotHaveFullyQualifiedName(ROOT + ".heap.HardenedHeap") // the pattern
                .and()
                .doNotHaveFullyQualifiedName(ROOT + ".os.NativeMemory") // the pattern, again
                .and()
                .doNotHaveFullyQualifiedName(ROOT + ".os.WindowsPrivilege") // one LUID
                .should()
                .callMethodWhere(DescribedPredicate.describe("it is bulk", HouseTest::isBulk))
                .check(HOUSE);
    }

    private static boolean isBulk(JavaMethodCall call) {
        return call.getTarget().getOwner().isAssignableTo(MemorySegment.class)
                && Set.of("copy", "copyFrom", "fill", "mismatch", "toArray")
                        .contains(call.getTarget().getName());
    }

    private static boolean isRestricted(JavaMethodCall call) {
        MethodCallTarget target = call.getTarget();
        JavaClass owner = target.getOwner();
        return switch (target.getName()) {
            case "reinterpret" -> owner.isAssignableTo(MemorySegment.class);
            case "downcallHandle", "upcallStub" -> owner.isAssignableTo(Linker.class);
            case "libraryLookup" -> owner.isAssignableTo(SymbolLookup.class);
            case "withTargetLayout" -> owner.isAssignableTo(AddressLayout.class);
            case "load", "loadLibrary" ->
                    owner.isEquivalentTo(System.class) || owner.isEquivalentTo(Runtime.class);
            default -> false;
        };
    }

    private static String floor(String packageName) {
        return packageName.equals(ROOT) ? "" : packageName.substring(ROOT.length() + 1);
    }

    private static String packageOf(String floor) {
        return floor.isEmpty() ? ROOT : ROOT + "." + floor;
    }
}
