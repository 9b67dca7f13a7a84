package dev.kernelalloc.nvme;

/**
 * A namespace: what other devices call a disk.
 *
 * @param id its number, from 1
 * @param blocks how many logical blocks it has
 * @param blockBytes the size of one, a power of two
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
