package dev.kernelalloc.call;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.C;
import dev.kernelalloc.struct.CString;
import dev.kernelalloc.struct.CType;
import dev.kernelalloc.struct.Endian;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Order;
import dev.kernelalloc.struct.Pointer;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.IOException;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** The examples of docs/calling-c.md. Their structs are those of Linux on x86-64. */
@EnabledOnOs(
        value = OS.LINUX,
        architectures = "amd64",
        disabledReason = "the structs of the examples are those of Linux on x86-64")
@SuppressWarnings("restricted")
class CallingCGuideTest {

    // guide: functions
    static final Linker LINKER = Linker.nativeLinker();

    static MethodHandle function(
            SymbolLookup library, String name, FunctionDescriptor type, Linker.Option... options) {
        return LINKER.downcallHandle(library.findOrThrow(name), type, options);
    }

    static final SymbolLookup LIBC = LINKER.defaultLookup();

    // end

    // ---- stat -----------------------------------------------------------------------------------

    // guide: stat
    record Time(long seconds, long nanoseconds) {}

    @Struct(size = 144)
    record Stat(
            long device,
            long inode,
            long links,
            int mode,
            int user,
            int group,
            int padding,
            long specialDevice,
            long size,
            long blockSize,
            long blocks,
            Time accessed,
            Time modified,
            Time changed) {}

    static final StructType<Stat> STAT = StructType.of(MethodHandles.lookup(), Stat.class);

    static final StructType<MemorySegment> CALL_STATE =
            StructType.of(Linker.Option.captureStateLayout());
    static final VarHandle ERRNO = CALL_STATE.varHandle("errno");

    static final MethodHandle STAT_FILE =
            function(
                    LIBC,
                    "stat",
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS),
                    Linker.Option.captureCallState("errno"));

    static Stat stat(String path) throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = CALL_STATE.allocate(arena);
            Out<Stat> stat = Out.of(arena, STAT);
            int status =
                    (int) STAT_FILE.invokeExact(state, arena.allocateFrom(path), stat.asSegment());
            if (status < 0) {
                throw new IOException("stat " + path + ": errno=" + (int) ERRNO.get(state, 0L));
            }
            return stat.get();
        }
    }

    // end

    // guide: generated
    /** As jextract generates it from sys/stat.h, without what is not used here. */
    static final class stat_h {

        private static final MethodHandle STAT =
                function(LIBC, "stat", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));

        static int stat(MemorySegment file, MemorySegment buf) {
            try {
                return (int) STAT.invokeExact(file, buf);
            } catch (Throwable e) {
                throw new AssertionError("should not reach here", e);
            }
        }

        static final class stat {

            private static final GroupLayout LAYOUT =
                    MemoryLayout.structLayout(
                                    MemoryLayout.paddingLayout(48),
                                    JAVA_LONG.withName("st_size"),
                                    MemoryLayout.paddingLayout(88))
                            .withName("stat");

            static GroupLayout layout() {
                return LAYOUT;
            }

            static MemorySegment allocate(SegmentAllocator allocator) {
                return allocator.allocate(LAYOUT);
            }

            static long st_size(MemorySegment struct) {
                return struct.get(JAVA_LONG, 48);
            }
        }
    }

    static long sizeByGeneratedCode(String path) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stat = stat_h.stat.allocate(arena);
            if (stat_h.stat(arena.allocateFrom(path), stat) < 0) {
                throw new IOException("stat " + path + ": errno was not captured");
            }
            return stat_h.stat.st_size(stat);
        }
    }

    // end

    @Test
    void struct_besideGeneratedLayout_isTheSame() {
        // guide: differences
        assertThat(STAT.differences(stat_h.stat.layout())).isEmpty();
        // end
    }

    @Test
    void structsAndErrno() throws Throwable {
        Path file = Files.createTempFile("stat", "");
        Files.writeString(file, "twelve bytes");
        Stat stat = stat(file.toString());
        assertThat(sizeByGeneratedCode(file.toString())).isEqualTo(stat.size());
        assertThat(StructType.of(stat_h.stat.layout()).byteSize()).isEqualTo(STAT.byteSize());
        assertThat(stat.size()).isEqualTo(12);
        assertThat(stat.inode()).isEqualTo(Files.getAttribute(file, "unix:ino"));
        assertThat(stat.modified().seconds())
                .isEqualTo(Files.getLastModifiedTime(file).toMillis() / 1000);
        Files.delete(file);
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> stat("/no/such/file"))
                .withMessageContaining("errno=2");
    }

    // ---- structs by value -----------------------------------------------------------------------

    // guide: by-value
    record Division(int quotient, int remainder) {}

    static final StructType<Division> DIVISION =
            StructType.of(MethodHandles.lookup(), Division.class);

    static final MethodHandle DIV =
            function(
                    LIBC,
                    "div",
                    FunctionDescriptor.of(DIVISION.linkerLayout(), JAVA_INT, JAVA_INT));

    // end

    @Test
    void byValue() throws Throwable {
        // guide: by-value-use
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = (MemorySegment) DIV.invokeExact((SegmentAllocator) arena, 17, 5);
            assertThat(DIVISION.get(result)).isEqualTo(new Division(3, 2));
        }
        // end
    }

    // ---- getaddrinfo ----------------------------------------------------------------------------

    // guide: addresses
    record SocketAddress(short family, @Order(Endian.BIG) char port, @Length(4) byte[] address) {}

    record AddressInfo(
            int flags,
            int family,
            int type,
            int protocol,
            int addressBytes,
            Pointer<SocketAddress> address,
            @CString @Nullable String canonicalName,
            Pointer<AddressInfo> next) {}

    static final StructType<AddressInfo> ADDRESS_INFO =
            StructType.of(MethodHandles.lookup(), AddressInfo.class);

    static final MethodHandle GET_ADDRESSES =
            function(
                    LIBC,
                    "getaddrinfo",
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
    static final MethodHandle FREE_ADDRESSES =
            function(LIBC, "freeaddrinfo", FunctionDescriptor.ofVoid(ADDRESS));

    static void freeAddresses(MemorySegment list) {
        try {
            FREE_ADDRESSES.invokeExact(list);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    // end

    @Test
    void linkedLists() throws Throwable {
        List<Integer> ports = new ArrayList<>();
        // guide: addresses-use
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment hints = ADDRESS_INFO.allocate(arena);
            ADDRESS_INFO.varHandle("type").set(hints, 0L, 1); // SOCK_STREAM
            Out<Pointer<AddressInfo>> out = Out.ofPointer(arena, ADDRESS_INFO);
            int status =
                    (int)
                            GET_ADDRESSES.invokeExact(
                                    arena.allocateFrom("127.0.0.1"),
                                    arena.allocateFrom("8080"),
                                    hints,
                                    out.asSegment());
            assertThat(status).isZero();
            try (NativeBox<AddressInfo> first =
                    NativeBox.adopt(
                            ADDRESS_INFO, out.get().segment(1), CallingCGuideTest::freeAddresses)) {
                for (AddressInfo info = first.get(); ; info = info.next().get()) {
                    ports.add((int) info.address().get().port());
                    if (info.next().isNull()) {
                        break;
                    }
                }
            } // freeaddrinfo
        }
        // end
        assertThat(ports).containsExactly(8080);
    }

    // ---- epoll ----------------------------------------------------------------------------------

    // guide: epoll
    @Struct(packed = true) // on x86-64
    record Event(int events, long data) {}

    static final StructType<Event> EVENT = StructType.of(MethodHandles.lookup(), Event.class);

    static final MethodHandle EPOLL_CREATE =
            function(LIBC, "epoll_create1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    static final MethodHandle EPOLL_CONTROL =
            function(
                    LIBC,
                    "epoll_ctl",
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    static final MethodHandle EPOLL_WAIT =
            function(
                    LIBC,
                    "epoll_wait",
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));

    // end

    @Test
    void arraysOfStructs() throws Throwable {
        MethodHandle eventfd =
                function(LIBC, "eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
        MethodHandle close = function(LIBC, "close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
        int descriptor = (int) eventfd.invokeExact(1, 0); // readable at once
        int epoll = (int) EPOLL_CREATE.invokeExact(0);
        List<Event> seen = new ArrayList<>();
        // guide: epoll-use
        try (Arena arena = Arena.ofConfined();
                NativeArray<Event> events = NativeArray.zeroed(EVENT, 64)) {
            MemorySegment interest = EVENT.allocate(arena, new Event(1, 0xCAFE)); // EPOLLIN
            int added = (int) EPOLL_CONTROL.invokeExact(epoll, 1, descriptor, interest);
            assertThat(added).isZero();
            int ready = (int) EPOLL_WAIT.invokeExact(epoll, events.segment(), 64, 1000);
            events.slice(0, ready).forEach(seen::add);
        }
        // end
        assertThat(seen).containsExactly(new Event(1, 0xCAFE));
        for (int open : new int[] {epoll, descriptor}) {
            assertThat((int) close.invokeExact(open)).isZero();
        }
    }

    // ---- qsort ----------------------------------------------------------------------------------

    // guide: callback
    record Point(int x, int y) {}

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);

    static final AddressLayout POINT_POINTER = ADDRESS.withTargetLayout(POINT.layout());

    static int compare(MemorySegment one, MemorySegment other) {
        return Integer.compare(POINT.get(one).x(), POINT.get(other).x());
    }

    static final MethodHandle QSORT =
            function(
                    LIBC,
                    "qsort",
                    FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS));

    // end

    @Test
    void callbacks() throws Throwable {
        // guide: callback-use
        MethodHandle compare =
                MethodHandles.lookup()
                        .findStatic(
                                CallingCGuideTest.class,
                                "compare",
                                MethodType.methodType(
                                        int.class, MemorySegment.class, MemorySegment.class));
        try (Arena arena = Arena.ofConfined();
                NativeArray<Point> points =
                        NativeArray.of(POINT, new Point(3, 0), new Point(1, 1), new Point(2, 2))) {
            MemorySegment comparator =
                    LINKER.upcallStub(
                            compare,
                            FunctionDescriptor.of(JAVA_INT, POINT_POINTER, POINT_POINTER),
                            arena);
            QSORT.invokeExact(points.segment(), points.length(), POINT.byteSize(), comparator);
            assertThat(points.stream().map(Point::y)).containsExactly(1, 2, 0);
        }
        // end
    }

    // ---- memory of malloc -----------------------------------------------------------------------

    @Test
    void memoryOfC() throws Throwable {
        MethodHandle strdup = function(LIBC, "strdup", FunctionDescriptor.of(ADDRESS, ADDRESS));
        String text;
        // guide: adopt
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment made = (MemorySegment) strdup.invokeExact(arena.allocateFrom("of C"));
            MemorySegment block = PoolAllocator.systemHeap().adopt(made.reinterpret(5));
            text = block.getString(0);
            PoolAllocator.systemHeap().free(block); // as free(3) would
        }
        // end
        assertThat(text).isEqualTo("of C");
    }

    // ---- zlib -----------------------------------------------------------------------------------

    // guide: zlib
    interface ZStream {
        MemorySegment nextIn();

        void nextIn(MemorySegment value);

        int availableIn();

        void availableIn(int value);

        @C(CType.UNSIGNED_LONG)
        long totalIn();

        MemorySegment nextOut();

        void nextOut(MemorySegment value);

        int availableOut();

        void availableOut(int value);

        @C(CType.UNSIGNED_LONG)
        long totalOut();

        @CString
        @Nullable String message();

        MemorySegment state();

        MemorySegment allocate();

        MemorySegment free();

        MemorySegment opaque();

        int dataType();

        @C(CType.UNSIGNED_LONG)
        long checksum();

        @C(CType.UNSIGNED_LONG)
        long reserved();
    }

    static final StructType<ZStream> Z_STREAM =
            StructType.of(MethodHandles.lookup(), ZStream.class);

    static byte[] deflate(SymbolLookup zlib, byte[] input) throws Throwable {
        MethodHandle begin =
                function(
                        zlib,
                        "deflateInit_",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT));
        MethodHandle deflate =
                function(zlib, "deflate", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
        MethodHandle end = function(zlib, "deflateEnd", FunctionDescriptor.of(JAVA_INT, ADDRESS));
        try (Arena arena = PoolAllocator.shared().arena()) {
            MemorySegment memory = Z_STREAM.allocate(arena);
            ZStream stream = Z_STREAM.get(memory); // a live view of what zlib changes
            MemorySegment version = arena.allocateFrom("1");
            int status = (int) begin.invokeExact(memory, 9, version, (int) Z_STREAM.byteSize());
            assertThat(status).isZero();

            MemorySegment output = arena.allocate(input.length + 64L);
            stream.nextIn(arena.allocateFrom(JAVA_BYTE, input));
            stream.availableIn(input.length);
            stream.nextOut(output);
            stream.availableOut((int) output.byteSize());
            int done = (int) deflate.invokeExact(memory, 4); // Z_FINISH
            assertThat(done).isEqualTo(1); // Z_STREAM_END
            long bytes = stream.totalOut();
            int ended = (int) end.invokeExact(memory);
            assertThat(ended).isZero();
            return output.asSlice(0, bytes).toArray(JAVA_BYTE);
        }
    }

    // end

    @Test
    void zlib() throws Throwable {
        SymbolLookup zlib = library("libz.so.1");
        byte[] text = "to be or not to be ".repeat(1000).getBytes(StandardCharsets.UTF_8);
        byte[] packed = deflate(zlib, text);
        assertThat(packed.length).isBetween(20, 1000);
        assertThat(inflated(packed, text.length)).isEqualTo(text);
    }

    private static byte[] inflated(byte[] packed, int length) throws DataFormatException {
        byte[] text = new byte[length];
        try (Inflater inflater = new Inflater()) {
            inflater.setInput(packed);
            assertThat(inflater.inflate(text)).isEqualTo(length);
            assertThat(inflater.finished()).isTrue();
        }
        return text;
    }

    // ---- sqlite ---------------------------------------------------------------------------------

    // guide: sqlite
    static final PoolAllocator SQLITE_POOL = PoolAllocator.builder().tag("sqlite").build();

    static MemorySegment sqliteAllocate(int bytes) {
        return SQLITE_POOL.tryAllocate(bytes, 8).orElse(MemorySegment.NULL);
    }

    static void sqliteFree(MemorySegment block) {
        SQLITE_POOL.free(block); // only the address counts
    }

    static MemorySegment sqliteReallocate(MemorySegment block, int bytes) {
        try {
            return SQLITE_POOL.reallocate(block, bytes, 8);
        } catch (AllocationException _) {
            return MemorySegment.NULL; // an exception must not leave an upcall
        }
    }

    static int sqliteSize(MemorySegment block) {
        return block.equals(MemorySegment.NULL) ? 0 : (int) SQLITE_POOL.usableSize(block);
    }

    static int sqliteRoundUp(int bytes) {
        return bytes + 7 & -8;
    }

    static int sqliteInit(MemorySegment data) {
        return 0;
    }

    static void sqliteShutdown(MemorySegment data) {}

    record MemoryMethods(
            MemorySegment allocate,
            MemorySegment free,
            MemorySegment reallocate,
            MemorySegment size,
            MemorySegment roundUp,
            MemorySegment init,
            MemorySegment shutdown,
            MemorySegment data) {}

    static final StructType<MemoryMethods> MEMORY_METHODS =
            StructType.of(MethodHandles.lookup(), MemoryMethods.class);

    /** C keeps the pointers for the life of the process, so the stubs live as long. */
    static MemorySegment stub(String name, FunctionDescriptor type) throws Exception {
        MethodHandle target =
                MethodHandles.lookup()
                        .findStatic(CallingCGuideTest.class, name, type.toMethodType());
        return LINKER.upcallStub(target, type, Arena.global());
    }

    static MemoryMethods methods() throws Exception {
        return new MemoryMethods(
                stub("sqliteAllocate", FunctionDescriptor.of(ADDRESS, JAVA_INT)),
                stub("sqliteFree", FunctionDescriptor.ofVoid(ADDRESS)),
                stub("sqliteReallocate", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT)),
                stub("sqliteSize", FunctionDescriptor.of(JAVA_INT, ADDRESS)),
                stub("sqliteRoundUp", FunctionDescriptor.of(JAVA_INT, JAVA_INT)),
                stub("sqliteInit", FunctionDescriptor.of(JAVA_INT, ADDRESS)),
                stub("sqliteShutdown", FunctionDescriptor.ofVoid(ADDRESS)),
                MemorySegment.NULL);
    }

    // end

    @Test
    void sqlite() throws Throwable {
        SymbolLookup sqlite = library("libsqlite3.so.0");
        MethodHandle open =
                function(sqlite, "sqlite3_open", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
        MethodHandle exec =
                function(
                        sqlite,
                        "sqlite3_exec",
                        FunctionDescriptor.of(
                                JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        MethodHandle free = function(sqlite, "sqlite3_free", FunctionDescriptor.ofVoid(ADDRESS));
        MethodHandle close =
                function(sqlite, "sqlite3_close", FunctionDescriptor.of(JAVA_INT, ADDRESS));
        MethodHandle shutdown =
                function(sqlite, "sqlite3_shutdown", FunctionDescriptor.of(JAVA_INT));
        // guide: sqlite-use
        MethodHandle config =
                function(
                        sqlite,
                        "sqlite3_config",
                        FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS),
                        Linker.Option.firstVariadicArg(1)); // int sqlite3_config(int, ...)
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment methods = MEMORY_METHODS.allocate(arena, methods());
            int status = (int) config.invokeExact(4, methods); // SQLITE_CONFIG_MALLOC
            assertThat(status).isZero();

            Out<MemorySegment> database = Out.ofAddress(arena);
            int opened =
                    (int) open.invokeExact(arena.allocateFrom(":memory:"), database.asSegment());
            assertThat(opened).isZero();
            assertThat(SQLITE_POOL.stats().liveBytes()).isPositive(); // all of it is ours

            Out<String> message = Out.ofString(MethodHandles.lookup(), arena);
            int failed =
                    (int)
                            exec.invokeExact(
                                    database.get(),
                                    arena.allocateFrom("create tabel t(x)"),
                                    MemorySegment.NULL,
                                    MemorySegment.NULL,
                                    message.asSegment());
            assertThat(failed).isEqualTo(1); // SQLITE_ERROR
            assertThat(message.get()).contains("near \"tabel\": syntax error");
            free.invokeExact(message.asSegment().get(ADDRESS, 0));

            int closed = (int) close.invokeExact(database.get());
            assertThat(closed).isZero();
        }
        // end
        assertThat((int) shutdown.invokeExact()).isZero();
        SQLITE_POOL.close(); // throws if a block is live
    }

    private static SymbolLookup library(String name) {
        try {
            return SymbolLookup.libraryLookup(name, Arena.global());
        } catch (IllegalArgumentException e) {
            assumeTrue(false, "skipped: " + name + " is not installed");
            throw e;
        }
    }
}
