package dev.kernelalloc.leak;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.event.AllocationEvent;
import dev.kernelalloc.event.FreeEvent;
import dev.kernelalloc.event.GuaranteeLostEvent;
import dev.kernelalloc.event.LeakEvent;
import dev.kernelalloc.event.PhysicalDriftEvent;
import dev.kernelalloc.event.RefillEvent;
import dev.kernelalloc.event.RefusalEvent;
import dev.kernelalloc.event.SlabMappedEvent;
import dev.kernelalloc.event.SlabUnmappedEvent;
import dev.kernelalloc.event.TrimEvent;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;

import jdk.jfr.Configuration;
import jdk.jfr.Event;
import jdk.jfr.EventType;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** A real recording with the documented template tells of everything that happens. */
class FlightRecordingTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));
    private static final String TAG = "recorded";
    private static final long LARGE_BYTES = 64L << 20;

    private static final List<Class<? extends Event>> EVENTS =
            List.of(
                    AllocationEvent.class,
                    FreeEvent.class,
                    GuaranteeLostEvent.class,
                    LeakEvent.class,
                    PhysicalDriftEvent.class,
                    RefillEvent.class,
                    RefusalEvent.class,
                    SlabMappedEvent.class,
                    SlabUnmappedEvent.class,
                    TrimEvent.class);

    @TempDir Path directory;

    @Test
    void theTemplateRecordsEachEventWithItsFields() throws Exception {
        List<RecordedEvent> events;
        long large;
        long block;
        LeakReport told;
        try (Recording recording = template()) {
            recording.start();
            try (PoolAllocator pool = PoolAllocator.builder().tag(TAG).build()) {
                MemorySegment segment = pool.allocate(LARGE_BYTES, 8);
                large = segment.address();
                pool.free(segment);
                pool.free(pool.allocate(64, 8));
                pool.trim();
                assertThatThrownBy(() -> pool.allocate(Long.MAX_VALUE / 2, 8))
                        .isInstanceOf(AllocationException.class);
            }
            block = drift();
            told = leak();
            Path file = directory.resolve("recording.jfr");
            recording.dump(file);
            events = RecordingFile.readAllEvents(file);
        }

        RecordedEvent allocated = only(events, "Allocation", "address", large);
        assertThat(allocated.getLong("bytes")).isEqualTo(LARGE_BYTES);
        assertThat(allocated.getString("owner")).isEqualTo("large block");
        assertThat(allocated.getBoolean("sampled")).isFalse();
        assertThat(allocated.getStackTrace().getFrames())
                .anyMatch(
                        frame ->
                                frame.getMethod()
                                        .getType()
                                        .getName()
                                        .equals(FlightRecordingTest.class.getName()));
        assertThat(only(events, "Free", "address", large).getLong("bytes")).isEqualTo(LARGE_BYTES);
        assertThat(only(events, "SlabMapped", "address", large).getLong("bytes"))
                .isEqualTo(LARGE_BYTES);
        assertThat(only(events, "SlabUnmapped", "address", large).getLong("bytes"))
                .isEqualTo(LARGE_BYTES);
        assertThat(of(events, "Refill", TAG))
                .hasSize(1)
                .allMatch(event -> event.getLong("blockBytes") == 64)
                .allMatch(event -> event.getInt("blocks") > 0 && !event.getBoolean("reused"));
        assertThat(of(events, "Trim", TAG))
                .hasSize(2) // by trim() and by close()
                .allMatch(event -> event.getDuration("spent").isPositive());
        assertThat(of(events, "Trim", TAG).mapToLong(event -> event.getLong("bytes")).sum())
                .isGreaterThanOrEqualTo(LARGE_BYTES);
        RecordedEvent refusal = of(events, "Refusal", TAG).findAny().orElseThrow();
        assertThat(refusal.getString("reason")).isEqualTo("OUT_OF_MEMORY");
        assertThat(refusal.getLong("bytes")).isEqualTo(Long.MAX_VALUE / 2);
        assertThat(refusal.getLong("alignment")).isEqualTo(8);
        assertThat(refusal.getString("text")).isNotBlank();
        RecordedEvent drift = of(events, "PhysicalDrift", "drifting").findAny().orElseThrow();
        assertThat(drift.getLong("address")).isEqualTo(block);
        assertThat(drift.getLong("after")).isNotEqualTo(drift.getLong("before"));
        assertThat(drift.getBoolean("pinned")).isFalse();
        assertThat(of(events, "SlabMapped", "drifting"))
                .allMatch(event -> event.getString("guarantee").equals("RESIDENT LOCKED"));
        RecordedEvent lost = of(events, "GuaranteeLost", "drifting").findAny().orElseThrow();
        assertThat(lost.getString("guarantee")).isEqualTo("LOCKED");
        assertThat(lost.getLong("address")).isEqualTo(block);
        assertThat(lost.getLong("pages")).isEqualTo(1);
        RecordedEvent leak =
                of(events, "Leak", "leaking") // the pool is dropped too, and may be found before
                        .filter(event -> event.getString("kind").equals("BOX"))
                        .findAny()
                        .orElseThrow();
        assertThat(leak.getLong("bytes")).isEqualTo(8);
        assertThat(leak.getLong("address")).isEqualTo(told.address());
        assertThat(leak.getString("site").lines())
                .isNotEmpty()
                .containsExactlyElementsOf(told.site().stream().map(Object::toString).toList());
        assertThat(leak.getLong("ownerId")).isEqualTo(Thread.currentThread().threadId());
        RecordedEvent sampled = of(events, "Allocation", "leaking").findFirst().orElseThrow();
        assertThat(sampled.getString("owner")).isEqualTo("box");
        assertThat(sampled.getBoolean("sampled")).isTrue();
    }

    /** But for the time and the numbers of lines. */
    @Test
    void theGuideShowsAnEventAsItIsPrinted() throws Exception {
        try (Recording recording = template();
                PoolAllocator pool = PoolAllocator.builder().tag("orders").limit(1 << 20).build()) {
            recording.start();
            assertThatThrownBy(() -> pool.allocate(LARGE_BYTES, 8))
                    .isInstanceOf(AllocationException.class);
            Path file = directory.resolve("shown.jfr");
            recording.dump(file);
            String printed =
                    of(RecordingFile.readAllEvents(file), "Refusal", "orders")
                            .findAny()
                            .orElseThrow()
                            .toString();
            String guide = Files.readString(ROOT.resolve("docs/observability.md"));
            assertThat(withoutNumbers(guide))
                    .contains("```text\n" + withoutNumbers(printed.strip()) + "\n```");
        }
    }

    private static String withoutNumbers(String text) {
        return text.replaceAll("(startTime|eventThread) = .*", "$1").replaceAll("line: \\d+", "");
    }

    @Test
    void aLargeBlockBelowTheThresholdIsNotRecorded() throws Exception {
        try (Recording recording = new Recording()) {
            recording.enable(AllocationEvent.class).with("bytes", "128m");
            recording.start();
            try (PoolAllocator pool =
                    PoolAllocator.builder().tag("small").tracking(Tracking.OFF).build()) {
                pool.free(pool.allocate(LARGE_BYTES, 8));
                pool.free(pool.allocate(128L << 20, 8));
            }
            Path file = directory.resolve("threshold.jfr");
            recording.dump(file);
            assertThat(of(RecordingFile.readAllEvents(file), "Allocation", "small"))
                    .extracting(event -> event.getLong("bytes"))
                    .containsExactly(128L << 20);
        }
    }

    @Test
    void eachEventSaysWhatItAndItsFieldsAre() {
        for (Class<? extends Event> event : EVENTS) {
            EventType type = EventType.getEventType(event);
            assertThat(type.getLabel()).isNotBlank();
            assertThat(type.getDescription()).isNotBlank();
            assertThat(type.getCategoryNames()).containsExactly("Native Memory", "Kernel-Alloc");
            assertThat(type.getField("tag")).as(type.getName()).isNotNull();
            assertThat(Stream.of(event.getFields()))
                    .isNotEmpty()
                    .allSatisfy(
                            field -> {
                                assertThat(type.getField(field.getName()).getLabel()).isNotBlank();
                                assertThat(type.getField(field.getName()).getDescription())
                                        .isNotBlank();
                            });
        }
    }

    @Test
    void theGuideNamesEachEventWithItsDescriptionAndTheTemplateEnablesIt() throws Exception {
        String guide = Files.readString(ROOT.resolve("docs/observability.md"));
        String template = Files.readString(ROOT.resolve("docs/kernel-alloc.jfc"));
        for (Class<? extends Event> event : EVENTS) {
            EventType type = EventType.getEventType(event);
            assertThat(guide)
                    .contains("| `%s` | %s |".formatted(type.getName(), type.getDescription()));
            assertThat(template).contains("<event name=\"%s\">".formatted(type.getName()));
        }
        try (InputStream inTheJar =
                AllocationEvent.class
                        .getClassLoader()
                        .getResourceAsStream("META-INF/kernel-alloc.jfc")) {
            assertThat(inTheJar).isNotNull();
            assertThat(new String(inTheJar.readAllBytes(), UTF_8)).isEqualTo(template);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void withoutTheModuleEverythingWorksAndNothingOfItIsLoaded(boolean modular) throws Exception {
        ChildJvm child = modular ? ChildJvm.onModulePath() : ChildJvm.onClassPath();
        String modules = modular ? "java.base,dev.kernelalloc" : "java.base";
        String output =
                child.withNativeAccess()
                        .with("--limit-modules", modules, "-Xlog:class+load")
                        .outputOf(WithoutRecorder.class);
        assertThat(output)
                .contains("refused: true", "sum: 42")
                .doesNotContain("jdk.jfr.", "dev.kernelalloc.event.", "FlightEvents");
    }

    @Test
    @DisplayName("Without a recording one class of the recorder is loaded, and no event")
    void firstUse_withoutRecording_loadsNoEvent() throws Exception {
        String output =
                ChildJvm.onClassPath()
                        .withNativeAccess()
                        .with("-Xlog:class+load")
                        .outputOf(WithoutRecorder.class);
        assertThat(output.lines().filter(line -> line.contains(" jdk.jfr.")))
                .as("how the library learns that a recording has started")
                .singleElement()
                .asString()
                .contains(" jdk.jfr.FlightRecorder ");
        assertThat(output)
                .contains("refused: true", "sum: 42")
                .doesNotContain("dev.kernelalloc.event.", "FlightEvents");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @DisplayName("Records from the first allocation on under -XX:StartFlightRecording")
    void recording_startedWithTheProcess_hasTheFirstRange(boolean modular) throws Exception {
        Path file = directory.resolve("started-with-the-process.jfr");
        ChildJvm child = modular ? ChildJvm.onModulePath() : ChildJvm.onClassPath();
        child.withNativeAccess()
                .with("--add-modules", "jdk.jfr")
                .with(
                        "-XX:StartFlightRecording:settings=%s,filename=%s"
                                .formatted(ROOT.resolve("docs/kernel-alloc.jfc"), file))
                .outputOf(WithoutRecorder.class);
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(of(events, "SlabMapped", "pool")).isNotEmpty();
        assertThat(of(events, "Refusal", "pool")).hasSize(1);
    }

    @Test
    @DisplayName("Records allocators that are older than a recording started by jcmd")
    void recording_startedByJcmd_hasWhatComesAfter() throws Exception {
        Path file = directory.resolve("started-by-jcmd.jfr");
        String output =
                ChildJvm.onClassPath()
                        .withNativeAccess()
                        .outputOf(
                                StartsRecordingLate.class,
                                ROOT.resolve("docs/kernel-alloc.jfc").toString(),
                                file.toString());
        assertThat(of(RecordingFile.readAllEvents(file), "Allocation", "older"))
                .as(output)
                .extracting(event -> event.getLong("bytes"))
                .containsExactly(2 * LARGE_BYTES);
    }

    /** Allocates before a recording, and during one that another process starts. */
    static final class StartsRecordingLate {
        private StartsRecordingLate() {}

        public static void main(String[] arguments) throws Exception {
            try (PoolAllocator pool =
                    PoolAllocator.builder().tag("older").tracking(Tracking.OFF).build()) {
                pool.free(pool.allocate(LARGE_BYTES, 8));
                jcmd("JFR.start", "name=late", "settings=" + arguments[0]);
                pool.free(pool.allocate(2 * LARGE_BYTES, 8));
                jcmd("JFR.dump", "name=late", "filename=" + arguments[1]);
            }
        }

        private static void jcmd(String... command) throws Exception {
            List<String> line = new ArrayList<>();
            line.add(Path.of(System.getProperty("java.home"), "bin", "jcmd").toString());
            line.add(Long.toString(ProcessHandle.current().pid()));
            line.addAll(List.of(command));
            int exitCode = new ProcessBuilder(line).inheritIO().start().waitFor();
            if (exitCode != 0) {
                throw new IllegalStateException("exitCode=" + exitCode + " of " + line);
            }
        }
    }

    /** Allocates, is refused and trims. */
    static final class WithoutRecorder {
        private WithoutRecorder() {}

        public static void main(String[] arguments) {
            try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build();
                    PhysicalAllocator physical = PhysicalAllocator.create()) {
                IO.println("refused: " + pool.tryAllocate(Long.MAX_VALUE / 2, 8).isEmpty());
                MemorySegment large = pool.allocate(LARGE_BYTES, 8);
                large.set(ValueLayout.JAVA_INT, 0, 42);
                IO.println("sum: " + large.get(ValueLayout.JAVA_INT, 0));
                pool.free(large);
                physical.free(physical.allocate(64, 8));
                pool.trim();
            }
        }
    }

    private static long drift() throws Refusal {
        FakeOperatingSystem os = new FakeOperatingSystem();
        try (PhysicalAllocator physical =
                PackageAccess.build(PhysicalAllocator.builder().tag("drifting"), os)) {
            MemorySegment block =
                    physical.allocate(PhysicalRequest.ofBytes(4 * os.pageBytes()).build());
            os.pageMapEntry(
                    block.address(),
                    FakeOperatingSystem.PRESENT | FakeOperatingSystem.EXCLUSIVE | 0x777);
            physical.verify(block);
            os.unlock(block.address(), os.pageBytes(), MemorySegment.NULL);
            physical.verify(block);
            physical.free(block);
            return block.address();
        }
    }

    private static LeakReport leak() {
        AtomicReference<LeakReport> told = new AtomicReference<>();
        PoolAllocator pool =
                PoolAllocator.builder()
                        .tag("leaking")
                        .tracking(Tracking.ALL)
                        .onLeak(
                                report -> {
                                    if (report.kind() == LeakReport.Kind.BOX) {
                                        told.set(report);
                                    }
                                })
                        .build();
        drop(pool);
        Await.until(
                "the leak is told",
                () -> {
                    System.gc();
                    return told.get() != null;
                });
        return told.get();
    }

    private static void drop(PoolAllocator pool) {
        NativeBox.zeroed(pool, StructType.of(ValueLayout.JAVA_LONG));
    }

    /** The documented one. */
    private static Recording template() throws Exception {
        return new Recording(Configuration.create(ROOT.resolve("docs/kernel-alloc.jfc")));
    }

    private static Stream<RecordedEvent> of(List<RecordedEvent> events, String name, String tag) {
        return events.stream()
                .filter(event -> event.getEventType().getName().equals("dev.kernelalloc." + name))
                .filter(event -> event.getString("tag").equals(tag));
    }

    private static RecordedEvent only(
            List<RecordedEvent> events, String name, String field, long value) {
        List<RecordedEvent> found =
                of(events, name, TAG).filter(event -> event.getLong(field) == value).toList();
        assertThat(found).as(name).hasSize(1);
        return found.getFirst();
    }
}
