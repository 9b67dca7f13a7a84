package dev.kernelalloc;

import dev.kernelalloc.frames.SharedPages;
import dev.kernelalloc.leak.Reasons;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;

/**
 * Memory that processes share, without a name in any file system: the kernel keeps its pages as
 * long as one process has it, whichever of them dies first and however. Linux only.
 *
 * <p>One process creates it, and sends it to others over a Unix socket:
 *
 * {@snippet lang = java :
 * // one process
 * SharedMemory ring = SharedMemory.create("ring", 16 << 20);
 * ring.sendTo(socket, Duration.ofSeconds(10)); // Path.of("/run/app/ring")
 *
 * // the other
 * SharedMemory ring = SharedMemory.receive(socket, Duration.ofSeconds(10));
 * }
 *
 * <p>Each process may {@linkplain PhysicalAllocator#adopt adopt} {@link #memory()} with an
 * allocator of its own: all of them see the same physical addresses, and each has, verifies and
 * ends its own locks and pins.
 *
 * <p><b>What others can do.</b> The size of the memory is sealed, so no process can truncate it and
 * thereby kill the others; memory that is not sealed is refused. A process that has it can write to
 * it at any time: check what you read from it once it is copied. It can also remove pages
 * (fallocate(2), {@code FALLOC_FL_PUNCH_HOLE}): they read as zeros next, at other addresses, which
 * {@link AdoptedMemory#verify} reports. If memory has run out by then, the kernel ends the process
 * that touches them; for {@linkplain #createHuge huge pages} that is so when the pool is empty.
 * Share memory with processes that you trust as far as that.
 *
 * <p>Its pages are populated when it is created, and charged to the control group of that process.
 * They are not charged to the limit of any allocator. Safe to use from any thread. Memory that is
 * not closed stays mapped until the process ends.
 */
public final class SharedMemory implements AutoCloseable {

    private static final int MOST_NAME_BYTES = 249;

    private final SharedPages pages;
    private final Arena arena;
    private final MemorySegment memory;
    private boolean closed;

    private SharedMemory(SharedPages pages) {
        try {
            this.arena = Arena.ofShared();
            this.memory = NativeMemory.segment(pages.address(), pages.bytes(), arena);
        } catch (Throwable e) {
            pages.release(); // the Java heap is exhausted
            throw e;
        }
        this.pages = pages;
    }

    /**
     * Creates memory of base pages, filled with zeros.
     *
     * @param name shown in {@code /proc/<pid>/maps} behind {@code memfd:}; it finds nothing and
     *     need not be unique; at most 249 bytes of UTF-8
     * @param bytes the size in bytes, more than 0; rounded up to whole pages
     * @return memory that the caller closes
     * @throws AllocationException if the system has not as much memory, or no shared memory
     * @throws IllegalArgumentException if {@code name} or {@code bytes} is not as above
     */
    public static SharedMemory create(String name, long bytes) {
        return create(name, bytes, false);
    }

    /**
     * Creates memory of the machine's pool of 2 MiB pages, filled with zeros. Its pages are never
     * swapped; each is physically contiguous.
     *
     * @param name as for {@link #create(String, long)}
     * @param bytes the size in bytes, more than 0; rounded up to 2 MiB
     * @return memory that the caller closes
     * @throws AllocationException if the pool has not as many free pages
     * @throws IllegalArgumentException if {@code name} or {@code bytes} is not as above
     */
    public static SharedMemory createHuge(String name, long bytes) {
        return create(name, bytes, true);
    }

    private static SharedMemory create(String name, long bytes, boolean huge) {
        if (bytes <= 0
                || name.indexOf('\0') >= 0
                || name.getBytes(StandardCharsets.UTF_8).length > MOST_NAME_BYTES) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "name=%s bytes=%d: the size is more than 0, and the name has at most %d"
                                    + " bytes, none of them 0",
                            name,
                            bytes,
                            MOST_NAME_BYTES));
        }
        try {
            return new SharedMemory(SharedPages.create(Platform.current(), name, bytes, huge));
        } catch (Refusal e) {
            throw explained("shared memory \"" + name + "\" of " + bytes + " bytes", e);
        }
    }

    /**
     * Maps memory by a descriptor that this process was given: inherited, or received by other
     * code. It may be of another library or language, if it is a file of memfd_create(2) that is
     * sealed by {@code F_SEAL_SHRINK}.
     *
     * @param descriptor the descriptor, which the caller still closes
     * @return memory that the caller closes
     * @throws IllegalArgumentException if the descriptor is not open, or of a file that another
     *     process could truncate
     * @throws AllocationException if the system refuses to map it
     */
    public static SharedMemory ofDescriptor(int descriptor) {
        try {
            return new SharedMemory(SharedPages.of(Platform.current(), descriptor));
        } catch (Refusal e) {
            throw explained("shared memory of descriptor " + descriptor, e);
        }
    }

    /**
     * Waits until another process has {@linkplain #sendTo sent} memory to a path, and maps it. The
     * path is that of a Unix socket, which exists while this waits, and to which only processes of
     * the same user, and root, can connect. Which of the two processes begins to wait first does
     * not matter.
     *
     * @param socket the path, where no file is; at most 107 bytes
     * @param timeout how long to wait; zero or less tries once
     * @return memory that the caller closes
     * @throws IOException if no memory was sent in time, something else was sent, or the socket
     *     cannot be made; if the thread is interrupted, an {@link java.io.InterruptedIOException}
     * @throws IllegalArgumentException if {@code socket} is empty, has more than 107 bytes, or is
     *     not of the default file system
     * @throws AllocationException if the system refuses to map it
     */
    public static SharedMemory receive(Path socket, Duration timeout) throws IOException {
        String path = pathOf(socket);
        try {
            return new SharedMemory(SharedPages.receive(Platform.current(), path, timeout));
        } catch (Refusal e) {
            throw explained("shared memory of " + socket, e);
        }
    }

    /**
     * Sends this memory to the process that {@linkplain #receive receives} at a path, and waits
     * until it has received it. The memory may be closed as soon as this returns.
     *
     * <p>It is sent only to a process of the same user, or of root: any user who can write to the
     * directory of the path can begin to receive there first. To share it with another user, pass
     * {@link #descriptor()} by other code.
     *
     * @param socket the path; at most 107 bytes
     * @param timeout how long to wait; zero or less tries once
     * @throws IOException if no process received in time, or one of another user receives there; if
     *     the thread is interrupted, an {@link java.io.InterruptedIOException}
     * @throws IllegalArgumentException if {@code socket} is empty, has more than 107 bytes, or is
     *     not of the default file system
     * @throws IllegalStateException if this is closed, or other code of the process has closed its
     *     descriptor
     * @throws AllocationException if the process has no file descriptor left
     */
    public void sendTo(Path socket, Duration timeout) throws IOException {
        String path = pathOf(socket);
        int copy;
        try {
            synchronized (this) {
                requireOpen();
                copy = pages.duplicate(); // no close meanwhile makes it another file's
            }
        } catch (Refusal e) {
            throw explained("sending " + this, e);
        }
        pages.send(copy, path, timeout);
    }

    private static String pathOf(Path socket) {
        if (!socket.getFileSystem().equals(FileSystems.getDefault())) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "socket=%s fileSystem=%s: a Unix socket is in the default file system",
                            socket,
                            socket.getFileSystem().provider().getScheme()));
        }
        return socket.toString();
    }

    /**
     * Returns the memory.
     *
     * @return a segment of whole pages, for all threads, alive until this is closed
     */
    public MemorySegment memory() {
        return memory;
    }

    /**
     * Returns the descriptor of the memory, for native code: it is closed when this is, and when
     * the process executes another program, unless dup(2) makes another.
     *
     * @return the descriptor
     * @throws IllegalStateException if this is closed
     */
    public synchronized int descriptor() {
        requireOpen();
        return pages.descriptor();
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("already closed: " + this);
        }
    }

    private static AllocationException explained(String what, Refusal e) {
        return new AllocationException(Reasons.of(e), what + ": " + e.getMessage(), e);
    }

    /**
     * Unmaps the memory from this process. Others keep it; the last one returns its pages.
     *
     * @throws IllegalStateException if this is closed already, or a native function or an I/O
     *     operation is using the memory; it stays open in the latter case
     */
    @Override
    public synchronized void close() {
        requireOpen();
        arena.close();
        closed = true;
        pages.release();
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "SharedMemory[%s%d bytes]",
                memory.scope().isAlive() ? "" : "closed, was ",
                memory.byteSize());
    }
}
