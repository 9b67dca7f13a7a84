package dev.kernelalloc.nvme;

/**
 * A namespace, which other devices call a disk.
 *
 * @param id its number, from 1
 * @param blocks the number of logical blocks
 * @param blockBytes the size of a logical block, a power of two
 */
public record Namespace(int id, long blocks, int blockBytes) {

    /**
     * Returns its size.
     *
     * @return in bytes
     */
    public long bytes() {
        return blocks * blockBytes;
    }
}
