package dev.kernelalloc.heap;

/**
 * How many blocks of a class a magazine holds.
 *
 * <p>Enough that an exchange is rare, and not more bytes than a few pages: what lies in the
 * magazines of a thread that no longer calls stays there.
 */
final class MagazineShape {

    /** Classes of larger blocks have no magazines: their blocks are slabs of their own. */
    static final int MAX_BLOCK_BYTES = 1 << 20;

    /** The classes below have magazines. */
    static final int CLASSES = SizeClasses.of(MAX_BLOCK_BYTES, 1) + 1;

    /** As many as states lie in a cache line, so that two threads' refills share none. */
    private static final int MAX_BLOCKS = 64;

    private static final int MAX_BYTES = 16 << 10;

    /**
     * Buffers of files and sockets come in bursts. With one each, a burst cost a slab each time.
     */
    private static final int BUFFERS = 4;

    private static final int MAX_BUFFER_BYTES = 64 << 10;

    private MagazineShape() {}

    static int blocks(int sizeClass) {
        int bytes = SizeClasses.bytes(sizeClass);
        return Math.clamp(MAX_BYTES / bytes, bytes <= MAX_BUFFER_BYTES ? BUFFERS : 1, MAX_BLOCKS);
    }

    /** What a full one holds, and takes of the Java heap. */
    static long bytes(int sizeClass) {
        int blocks = blocks(sizeClass);
        return blocks * ((long) SizeClasses.bytes(sizeClass) + Long.BYTES)
                + (Magazine.OVERHEAD + 2) * Long.BYTES;
    }
}
