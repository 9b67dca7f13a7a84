package dev.kernelalloc.nvme.check;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The layout of the disk, before the guest runs and afterwards. The host creates both images and
 * compares the second with the file that the device wrote.
 *
 * @param start the offset in bytes
 * @param round the round of the pattern; {@link #ZEROS} for none
 */
record DiskMap(long start, long round) {

    static final long DISK_BYTES = 64 << 20;

    /** The size of a quarter. */
    static final long BYTES = 16 << 20;

    static final long ZEROS = -1;

    /** Written by the host, read by the guest. */
    static final DiskMap HOST = new DiskMap(0, 1);

    /** Written by the guest in large transfers. */
    static final DiskMap GUEST = new DiskMap(BYTES, 2);

    /** Written by the guest while memory is disturbed; the round is that of the last pass. */
    static final DiskMap DISTURBED = new DiskMap(2 * BYTES, 1000);

    /** Never written: stays zero, unless a write is misplaced. */
    static final DiskMap UNTOUCHED = new DiskMap(3 * BYTES, ZEROS);

    static void write(Path image, DiskMap... quarters) throws IOException {
        Files.deleteIfExists(image);
        try (FileChannel file =
                        FileChannel.open(
                                image,
                                StandardOpenOption.CREATE_NEW,
                                StandardOpenOption.READ,
                                StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            var memory = file.map(FileChannel.MapMode.READ_WRITE, 0, DISK_BYTES, arena);
            for (DiskMap quarter : quarters) {
                if (quarter.round != ZEROS) {
                    DiskPattern.fill(
                            memory.asSlice(quarter.start, BYTES), quarter.start, quarter.round);
                }
            }
        }
    }
}
