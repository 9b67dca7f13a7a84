package dev.kernelalloc.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * Reads the files of {@code /proc} and {@code /sys}: the one reader for all that the kernel reports
 * as text. Safe to use from any thread, and not ended by an interrupt.
 *
 * <p><b>Bytes, not text.</b> A control group or a mount may have any name, and the kernel reports
 * it as it is. In paths and contents here each char is one byte (ISO 8859-1), so nothing is
 * malformed, whatever the locale; {@link #shown} is for people.
 *
 * <p><b>Total.</b> No content is a mistake: files that are missing, cut off, binary or endless
 * ({@link #MOST_BYTES} are read) give fewer lines and no numbers, never an unchecked exception.
 *
 * @param calls the system
 * @param root what paths are below, without a slash at its end: empty for this system
 */
public record KernelFiles(LinuxCalls calls, String root) {

    /** No file of interest is larger. */
    static final int MOST_BYTES = 16 << 20;

    private static final int PIECE_BYTES = 32 << 10;

    /** More than a file of numbers has. */
    private static final int RECORD_BYTES = 4 << 10;

    /** The files of this system. */
    public static KernelFiles ofSystem() {
        return new KernelFiles(new LinuxCalls() {}, "");
    }

    /** Reads files under a directory in place of the root of a system. */
    public static KernelFiles below(Path root) {
        String path = root.toString();
        return new KernelFiles(new LinuxCalls() {}, path.equals("/") ? "" : bytes(path));
    }

    /**
     * The contents of a file.
     *
     * @param text the contents, a char for each byte; empty if the file was not read
     * @param errno the error that prevented reading; 0 if there was none
     */
    public record Content(String text, int errno) {

        /** Whether it was read. */
        public boolean isRead() {
            return errno == 0;
        }

        /** Whether there is no such file. */
        public boolean isAbsent() {
            return errno == Posix.ENOENT || errno == Linux.ENOTDIR;
        }

        /** Whether it may be read in a moment: only something that passes was short. */
        public boolean isTemporary() {
            return Linux.isShortage(errno) || errno == Posix.ENOMEM;
        }

        /** Its lines, without their ends. */
        public List<String> lines() {
            return text.lines().toList();
        }

        /** Returns the rest of the first line that begins with a key. */
        public Optional<String> field(String key) {
            int from = 0;
            while (from < text.length()) {
                int end = text.indexOf('\n', from);
                end = end < 0 ? text.length() : end;
                if (text.startsWith(key, from) && from + key.length() <= end) {
                    return Optional.of(text.substring(from + key.length(), end));
                }
                from = end + 1;
            }
            return Optional.empty();
        }

        /** The number that its first line is. */
        public OptionalLong number() {
            return KernelFiles.number(text.lines().findFirst().orElse(""));
        }

        /** Returns the refusal of a request that needs the file. */
        Refusal refusal(String file) {
            String what = file + " cannot be read: " + failure();
            return isTemporary()
                    ? new Refusal.Shortage(what + ". " + Refusal.Shortage.REMEDY)
                    : new Refusal.NotSupported(
                            what + ". Is /proc mounted, and without subset=pid (ProcSubset=)?");
        }

        /** Why it was not read, for a message. */
        public String failure() {
            return new ErrorCode(errno, Linux.ERRORS.getOrDefault(errno, "errno")).toString();
        }
    }

    /**
     * Reads a file.
     *
     * @param path from the root, with a slash at its beginning
     */
    public Content read(String path) {
        return read(path, MOST_BYTES);
    }

    /**
     * Reads a file that the kernel writes as one record, such as those of control groups: in one
     * call if it is short, since a second one would make the kernel write all of it again.
     *
     * @param path from the root, with a slash at its beginning
     */
    Content readRecord(String path) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment callState = arena.allocate(CallState.LAYOUT);
            int file = open(path, arena, callState);
            if (file < 0) {
                return new Content("", CallState.read(callState, "errno"));
            }
            try {
                MemorySegment record = arena.allocate(RECORD_BYTES);
                long got = calls.pread(file, record, RECORD_BYTES, 0, callState);
                if (got >= 0 && got < RECORD_BYTES) {
                    byte[] bytes = new byte[(int) got];
                    record.asByteBuffer().get(0, bytes);
                    return new Content(latin1(bytes, 0, bytes.length), 0);
                }
            } finally {
                calls.close(file);
            }
        }
        return read(path); // longer, or interrupted
    }

    /** Reads the beginning of a file. */
    Content read(String path, int mostBytes) {
        Collected collected = new Collected();
        int errno = pieces(path, mostBytes, collected);
        return new Content(errno == 0 ? collected.text() : "", errno);
    }

    /**
     * Reads a file line by line, of which only one is in memory.
     *
     * @param path from the root, with a slash at its beginning
     * @param action that gets each line without its end
     * @return an empty content: whether the file was read
     */
    public Content lines(String path, Consumer<String> action) {
        StringBuilder begun = new StringBuilder();
        int errno =
                pieces(
                        path,
                        Integer.MAX_VALUE,
                        (bytes, length) -> {
                            int from = 0;
                            for (int i = 0; i < length; i++) {
                                if (bytes[i] == '\n') {
                                    begun.append(latin1(bytes, from, i));
                                    action.accept(begun.toString());
                                    begun.setLength(0);
                                    from = i + 1;
                                }
                            }
                            begun.append(latin1(bytes, from, length));
                            return begun.length() < MOST_BYTES;
                        });
        if (!begun.isEmpty()) {
            action.accept(begun.toString());
        }
        return new Content("", errno);
    }

    /** Returns whether to read more, after some bytes of a buffer. */
    private interface Piece {
        boolean isNotTheLast(byte[] bytes, int length);
    }

    private static final class Collected implements Piece {

        private byte[] content = {};
        private int length;

        @Override
        public boolean isNotTheLast(byte[] bytes, int count) {
            if (length + count > content.length) {
                content = Arrays.copyOf(content, Math.max(2 * content.length, length + count));
            }
            System.arraycopy(bytes, 0, content, length, count);
            length += count;
            return true;
        }

        String text() {
            return latin1(content, 0, length);
        }
    }

    private static String latin1(byte[] bytes, int from, int to) {
        return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
    }

    /** Reads piece by piece; the error's number, or 0. */
    private int pieces(String path, int mostBytes, Piece action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment callState = arena.allocate(CallState.LAYOUT);
            int file = open(path, arena, callState);
            if (file < 0) {
                return CallState.read(callState, "errno");
            }
            try {
                return pieces(file, mostBytes, action, arena.allocate(PIECE_BYTES), callState);
            } finally {
                calls.close(file);
            }
        }
    }

    private int open(String path, Arena arena, MemorySegment callState) {
        MemorySegment terminated = arena.allocateFrom(root + path, StandardCharsets.ISO_8859_1);
        return calls.open(terminated, Linux.O_RDONLY | Linux.O_CLOEXEC, callState);
    }

    private int pieces(
            int file, int mostBytes, Piece action, MemorySegment piece, MemorySegment callState) {
        byte[] bytes = new byte[PIECE_BYTES];
        int done = 0;
        while (done < mostBytes) {
            long wanted = Math.min(PIECE_BYTES, mostBytes - done);
            int got = (int) calls.pread(file, piece, wanted, done, callState);
            if (got < 0 && CallState.read(callState, "errno") == Linux.EINTR) {
                continue;
            }
            if (got < 0) {
                return CallState.read(callState, "errno");
            }
            if (got == 0) {
                break;
            }
            piece.asByteBuffer().get(0, bytes, 0, got);
            done += got;
            if (!action.isNotTheLast(bytes, got)) {
                break;
            }
        }
        return 0;
    }

    // ---- numbers and names --------------------------------------------------------------------

    /**
     * The number that a text is, apart from white space around it; {@link Long#MAX_VALUE} for all
     * that are larger. Empty for what is none, {@code max} too.
     */
    public static OptionalLong number(String text) {
        String digits = text.strip();
        if (digits.isEmpty()) {
            return OptionalLong.empty();
        }
        long number = 0;
        for (int i = 0; i < digits.length(); i++) {
            int digit = digits.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                return OptionalLong.empty();
            }
            number = number > (Long.MAX_VALUE - digit) / 10 ? Long.MAX_VALUE : number * 10 + digit;
        }
        return OptionalLong.of(number);
    }

    /** The bytes of a number of kibibytes, such as {@code " 8192 kB"}; saturated as well. */
    public static OptionalLong kibibytes(String text) {
        String stripped = text.strip();
        int end = stripped.indexOf(' ');
        OptionalLong number = number(end < 0 ? stripped : stripped.substring(0, end));
        return number.isEmpty()
                ? number
                : OptionalLong.of(
                        number.getAsLong() > Long.MAX_VALUE >> 10
                                ? Long.MAX_VALUE
                                : number.getAsLong() << 10);
    }

    /** A path of Java in bytes, as this process writes it to the system. */
    public static String bytes(String path) {
        return new String(path.getBytes(NAMES), StandardCharsets.ISO_8859_1);
    }

    /** A path in bytes for a message: as UTF-8 where it is that, else with its bytes escaped. */
    public static String shown(String bytes) {
        byte[] name = bytes.getBytes(StandardCharsets.ISO_8859_1);
        String text = new String(name, StandardCharsets.UTF_8);
        boolean isUtf8 = Arrays.equals(text.getBytes(StandardCharsets.UTF_8), name);
        StringBuilder shown = new StringBuilder();
        (isUtf8 ? text : bytes)
                .chars()
                .forEach(
                        unit -> {
                            boolean plain = isUtf8 ? unit >= ' ' : unit >= ' ' && unit < 0x7f;
                            shown.append(
                                    plain
                                            ? "" + (char) unit
                                            : String.format(Locale.ROOT, "\\x%02x", unit));
                        });
        return shown.toString();
    }

    /** How this JVM encodes names of files. */
    private static final Charset NAMES =
            Charset.forName(
                    System.getProperty("sun.jnu.encoding", "UTF-8"), Charset.defaultCharset());
}
