package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.MemoryFile;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * Pages of a file in memory, mapped by this process, and by others that got its descriptor.
 *
 * @param os the system that they came from
 * @param file to which the pages belong
 * @param address the address of the first page in this process
 */
public record SharedPages(OperatingSystem os, MemoryFile file, long address) {

    /**
     * Creates a file, maps it and populates it, so that no process that has it meets a missing
     * page.
     *
     * @param bytes rounded up to whole pages
     * @param huge whether of the pool of 2 MiB pages
     */
    public static SharedPages create(OperatingSystem os, String name, long bytes, boolean huge)
            throws Refusal {
        long unit = huge ? Pages.HUGE_BYTES : os.pageBytes();
        if (bytes > Long.MAX_VALUE - unit) {
            throw new Refusal.OutOfMemory(bytes + " bytes are more than can be addressed");
        }
        long whole = Alignment.up(bytes, unit);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            if (!huge) {
                Preflight.of(os).requireMemory(whole, OptionalInt.empty());
            }
            MemoryFile file = os.createMemoryFile(name, whole, huge ? unit : 0, callState);
            SharedPages pages = mapped(os, file, callState);
            try {
                pages.populate(huge, callState);
                return pages;
            } catch (Refusal | RuntimeException | Error e) {
                pages.release();
                throw e;
            }
        }
    }

    /** Maps a file by a descriptor, which stays the caller's. */
    public static SharedPages of(OperatingSystem os, int descriptor) throws Refusal {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            return mapped(os, os.memoryFileOf(descriptor, callState), callState);
        }
    }

    /** Maps a file that another process sends to the path of a Unix socket. */
    public static SharedPages receive(OperatingSystem os, String socket, Duration timeout)
            throws Refusal, IOException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            return mapped(os, os.receiveMemoryFile(socket, timeout, callState), callState);
        }
    }

    private static SharedPages mapped(OperatingSystem os, MemoryFile file, MemorySegment callState)
            throws Refusal {
        try {
            return new SharedPages(os, file, os.map(file, callState));
        } catch (Refusal | RuntimeException | Error e) {
            os.closeFile(file.file(), callState);
            throw e;
        }
    }

    /** Pages of the pool were set aside when they were mapped. */
    private void populate(boolean huge, MemorySegment callState) throws Refusal {
        if (huge) {
            os.populate(address, bytes(), callState);
            return;
        }
        Preflight preflight = Preflight.of(os);
        for (long done = 0; done < bytes(); done += Preflight.STEP_BYTES) {
            long step = Math.min(Preflight.STEP_BYTES, bytes() - done);
            preflight.enter(step);
            try {
                os.populate(address + done, step, callState);
            } finally {
                preflight.exit(step);
            }
        }
    }

    /** Returns the size in bytes. */
    public long bytes() {
        return file.bytes();
    }

    /** Returns the descriptor of the file. */
    public int descriptor() {
        return file.file().descriptor();
    }

    /** Returns another descriptor, to be {@linkplain #send sent}. */
    public int duplicate() throws Refusal {
        try (Arena scratch = Arena.ofConfined()) {
            return os.duplicate(file, scratch.allocate(CallState.LAYOUT));
        }
    }

    /** Sends a descriptor to the process that listens at a path, and closes it in this one. */
    public void send(int descriptor, String socket, Duration timeout) throws IOException {
        os.send(descriptor, socket, timeout);
    }

    /** Unmaps the pages and closes the file; other processes keep theirs. */
    public void release() {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            os.closeFile(file.file(), callState);
            os.release(address, bytes(), callState);
        } catch (Refusal e) {
            // Of a whole mapping the kernel refuses it only for want of mappings; it stays mapped.
            System.getLogger("dev.kernelalloc").log(System.Logger.Level.WARNING, e.getMessage());
        }
    }
}
