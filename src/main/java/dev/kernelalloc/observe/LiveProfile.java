package dev.kernelalloc.observe;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.LiveBlocksException.Group;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;

/**
 * Writes who holds memory now, {@link KernelAllocator#liveGroups}, for programs that show profiles.
 *
 * {@snippet :
 * Files.writeString(stacks, LiveProfile.collapsed(pool.liveGroups())); // flamegraph.pl, speedscope
 * Files.write(profile, LiveProfile.pprof(pool.liveGroups()));          // go tool pprof
 * }
 */
public final class LiveProfile {

    private LiveProfile() {}

    /**
     * Returns collapsed stacks: a line for each allocation site and kind of owner, with the frames
     * from the outermost to the nearest, the kind in brackets, and the bytes.
     *
     * @param groups the groups to write
     * @return lines in alphabetical order, each ended by a line feed
     */
    public static String collapsed(List<Group> groups) {
        Map<String, Long> lines = new TreeMap<>();
        for (Group group : groups) {
            String frames =
                    group.site().reversed().stream()
                            .map(frame -> name(frame) + ";")
                            .collect(Collectors.joining());
            lines.merge(frames + kind(group), group.bytes(), Long::sum);
        }
        return lines.entrySet().stream()
                .map(line -> line.getKey() + " " + line.getValue() + "\n")
                .collect(Collectors.joining());
    }

    /**
     * Returns a profile in the format of pprof, {@code profile.proto} compressed by gzip, with the
     * values {@code inuse_objects} and {@code inuse_space}.
     *
     * @param groups the groups to write
     * @return the bytes of a file
     */
    public static byte[] pprof(List<Group> groups) {
        return new Pprof().profile(groups);
    }

    private static String name(StackTraceElement frame) {
        return frame.getClassName() + "." + frame.getMethodName();
    }

    private static String kind(Group group) {
        return "[" + group.kind().title() + "]";
    }

    /** The messages of profile.proto: a field has its number and its wire type before it. */
    private static final class Pprof {

        private static final int SAMPLE_TYPE = 1;
        private static final int SAMPLE = 2;
        private static final int LOCATION = 4;
        private static final int FUNCTION = 5;
        private static final int STRING = 6;
        private static final int DEFAULT_SAMPLE_TYPE = 14;

        private static final int VARINT = 0;
        private static final int BYTES = 2;

        /** Index 0 is the empty string. */
        private final Map<String, Long> strings = new LinkedHashMap<>(Map.of("", 0L));

        private final Map<String, Long> functions = new LinkedHashMap<>();
        private final Map<StackTraceElement, Long> locations = new LinkedHashMap<>();
        private final Message profile = new Message();

        byte[] profile(List<Group> groups) {
            profile.message(SAMPLE_TYPE, valueType("inuse_objects", "count"));
            profile.message(SAMPLE_TYPE, valueType("inuse_space", "bytes"));
            for (Group group : groups) {
                Message sample = new Message();
                sample.number(1, location(new StackTraceElement("", kind(group), "", 0)));
                for (StackTraceElement frame : group.site()) { // the nearest first
                    sample.number(1, location(frame));
                }
                sample.number(2, group.owners());
                sample.number(2, group.bytes());
                profile.message(SAMPLE, sample);
            }
            profile.number(DEFAULT_SAMPLE_TYPE, string("inuse_space"));
            for (String text : strings.keySet()) {
                profile.text(STRING, text);
            }
            return compressed(profile.bytes.toByteArray());
        }

        private Message valueType(String type, String unit) {
            Message message = new Message();
            message.number(1, string(type));
            message.number(2, string(unit));
            return message;
        }

        private long string(String text) {
            return strings.computeIfAbsent(text, _ -> (long) strings.size());
        }

        private long location(StackTraceElement frame) {
            Long known = locations.get(frame);
            if (known != null) {
                return known;
            }
            long id = locations.size() + 1L;
            locations.put(frame, id);
            Message line = new Message();
            line.number(1, function(frame));
            line.number(2, Math.max(0, frame.getLineNumber()));
            Message location = new Message();
            location.number(1, id);
            location.message(4, line);
            profile.message(LOCATION, location);
            return id;
        }

        private long function(StackTraceElement frame) {
            String name =
                    frame.getClassName().isEmpty()
                            ? frame.getMethodName()
                            : LiveProfile.name(frame);
            Long known = functions.get(name);
            if (known != null) {
                return known;
            }
            long id = functions.size() + 1L;
            functions.put(name, id);
            String file = frame.getFileName();
            Message function = new Message();
            function.number(1, id);
            function.number(2, string(name));
            function.number(3, string(name));
            function.number(4, string(file == null ? "" : file));
            profile.message(FUNCTION, function);
            return id;
        }

        private static byte[] compressed(byte[] bytes) {
            ByteArrayOutputStream file = new ByteArrayOutputStream();
            try (GZIPOutputStream gzip = new GZIPOutputStream(file)) {
                gzip.write(bytes);
            } catch (IOException e) {
                throw new UncheckedIOException(e); // memory does not fail
            }
            return file.toByteArray();
        }

        private static final class Message {

            private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

            void number(int field, long value) {
                varint((long) field << 3 | VARINT);
                varint(value);
            }

            void message(int field, Message message) {
                content(field, message.bytes.toByteArray());
            }

            void text(int field, String text) {
                content(field, text.getBytes(StandardCharsets.UTF_8));
            }

            private void content(int field, byte[] content) {
                varint((long) field << 3 | BYTES);
                varint(content.length);
                bytes.writeBytes(content);
            }

            /** Seven bits a byte, the least significant first. */
            private void varint(long value) {
                long rest = value;
                while ((rest & ~0x7FL) != 0) {
                    bytes.write((int) (rest & 0x7F | 0x80));
                    rest >>>= 7;
                }
                bytes.write((int) rest);
            }
        }
    }
}
