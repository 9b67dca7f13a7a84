package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.LiveBlocksException.Group;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.observe.LiveProfile;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/** Who holds memory now. In this package, as frames of the library's own are no callers. */
class LiveProfileTest {

    record Page(long a, long b, long c, long d) {}

    static final StructType<Page> PAGE = StructType.of(MethodHandles.lookup(), Page.class);

    @Test
    @DisplayName("Live groups are exactly the live owners, by kind and place, most bytes first")
    void liveGroups_trackingAll_areTheLiveOwners() {
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build()) {
            assertThat(pool.liveGroups()).isEmpty();
            List<NativeBox<Page>> boxes = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                boxes.add(box(pool));
            }
            MemorySegment raw = raw(pool);
            List<Group> groups = pool.liveGroups();
            assertThat(groups).hasSize(2);
            assertThat(groups.get(0).bytes()).isEqualTo(1000);
            assertThat(groups.get(0).site().getFirst().getMethodName()).isEqualTo("raw");
            assertThat(groups.get(1).owners()).isEqualTo(10);
            assertThat(groups.get(1).bytes()).isEqualTo(320);
            assertThat(groups.get(1).site().getFirst().getMethodName()).isEqualTo("box");

            boxes.subList(0, 4).forEach(NativeBox::close);
            pool.free(raw);
            assertThat(pool.liveGroups()).extracting(Group::owners).containsExactly(6L);
            boxes.subList(4, 10).forEach(NativeBox::close);
            assertThat(pool.liveGroups()).isEmpty();
        }
    }

    @Test
    @DisplayName("Collapsed stacks have the outermost frame first, and the bytes")
    void collapsed_hasFramesAndBytes() {
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build()) {
            MemorySegment one = raw(pool);
            MemorySegment other = raw(pool);
            String self = LiveProfileTest.class.getName();
            assertThat(LiveProfile.collapsed(pool.liveGroups()).lines())
                    .hasSize(1) // two lines of one method
                    .allMatch(
                            line ->
                                    line.endsWith(
                                            self
                                                    + ".collapsed_hasFramesAndBytes;"
                                                    + self
                                                    + ".raw;[raw block] 2000"));
            pool.free(one);
            pool.free(other);
            assertThat(LiveProfile.collapsed(pool.liveGroups())).isEmpty();
        }
    }

    @Test
    @DisplayName("The profile of pprof decodes to the same places, owners and bytes")
    void pprof_decodes() throws IOException {
        StackTraceElement inner = new StackTraceElement("app.Cache", "put", "Cache.java", 42);
        StackTraceElement outer = new StackTraceElement("app.Main", "größe", null, -1);
        Group group = new Group(LeakReport.Kind.BOX, List.of(inner, outer), 3, Long.MAX_VALUE / 2);
        Map<Integer, List<Object>> profile = decode(unzipped(LiveProfile.pprof(List.of(group))));
        List<String> strings = profile.get(6).stream().map(LiveProfileTest::text).toList();
        assertThat(strings.getFirst()).isEmpty();
        assertThat(strings).contains("inuse_objects", "inuse_space", "count", "bytes");
        assertThat(strings.get(((Long) profile.get(14).getFirst()).intValue()))
                .isEqualTo("inuse_space");
        assertThat(profile.get(1)).hasSize(2);

        Map<Long, String> functions = new HashMap<>();
        for (Object bytes : profile.get(5)) {
            Map<Integer, List<Object>> function = decode((byte[]) bytes);
            functions.put(
                    (Long) function.get(1).getFirst(),
                    strings.get(((Long) function.get(2).getFirst()).intValue()));
        }
        Map<Long, String> locations = new HashMap<>();
        for (Object bytes : profile.get(4)) {
            Map<Integer, List<Object>> location = decode((byte[]) bytes);
            Map<Integer, List<Object>> line = decode((byte[]) location.get(4).getFirst());
            locations.put(
                    (Long) location.get(1).getFirst(),
                    functions.get((Long) line.get(1).getFirst()) + ":" + line.get(2).getFirst());
        }
        Map<Integer, List<Object>> sample = decode((byte[]) profile.get(2).getFirst());
        assertThat(profile.get(2)).hasSize(1);
        assertThat(sample).contains(entry(2, List.<Object>of(3L, Long.MAX_VALUE / 2)));
        assertThat(sample.get(1).stream().map(id -> locations.get((Long) id)))
                .containsExactly("[box]:0", "app.Cache.put:42", "app.Main.größe:0");
    }

    private static NativeBox<Page> box(PoolAllocator pool) {
        return NativeBox.zeroed(pool, PAGE);
    }

    private static MemorySegment raw(PoolAllocator pool) {
        return pool.allocate(1000, 8);
    }

    private static byte[] unzipped(byte[] file) throws IOException {
        try (GZIPInputStream gzip = new GZIPInputStream(new ByteArrayInputStream(file))) {
            return gzip.readAllBytes();
        }
    }

    private static String text(Object bytes) {
        return new String((byte[]) bytes, StandardCharsets.UTF_8);
    }

    /** The fields of a message of protocol buffers: numbers, and byte arrays. */
    private static Map<Integer, List<Object>> decode(byte[] message) {
        Map<Integer, List<Object>> fields = new HashMap<>();
        ByteBuffer data = ByteBuffer.wrap(message);
        while (data.hasRemaining()) {
            long tag = varint(data);
            Object value;
            if ((tag & 7) == 0) {
                value = varint(data);
            } else {
                assertThat(tag & 7).isEqualTo(2);
                byte[] bytes = new byte[(int) varint(data)];
                data.get(bytes);
                value = bytes;
            }
            fields.computeIfAbsent((int) (tag >>> 3), _ -> new ArrayList<>()).add(value);
        }
        return fields;
    }

    private static long varint(ByteBuffer data) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = data.get();
            value |= (long) (next & 0x7F) << shift;
            if (next >= 0) {
                return value;
            }
        }
    }
}
