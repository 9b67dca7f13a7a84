package dev.kernelalloc.nvme;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A device through sysfs, as root, without an IOMMU: the device can write to any address that its
 * driver supplies.
 */
public final class SysfsDevice implements PciDevice {

    private final Arena mapping = Arena.ofShared();
    private final FileChannel configuration;
    private final MemorySegment registers;

    private SysfsDevice(Path directory) throws IOException {
        this.configuration = open(directory.resolve("config"));
        try (FileChannel bar = open(directory.resolve("resource0"))) {
            this.registers = bar.map(FileChannel.MapMode.READ_WRITE, 0, bar.size(), mapping);
            command(MEMORY_SPACE | BUS_MASTER, 0);
        } catch (IOException | RuntimeException e) {
            configuration.close();
            throw e;
        }
    }

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    /**
     * Maps a device's registers and lets it access memory.
     *
     * @param address on the bus, for example {@code 0000:00:03.0}
     * @return a device that the caller closes
     * @throws IllegalStateException when a driver of the kernel uses the device
     * @throws UncheckedIOException when sysfs refuses, as it does to all but root
     */
    public static SysfsDevice open(String address) {
        Path directory = DEVICES.resolve(address);
        Path driver = directory.resolve("driver");
        if (Files.exists(driver)) {
            throw new IllegalStateException(
                    "a driver of the kernel uses the device: write "
                            + address
                            + " to "
                            + driver
                            + "/unbind");
        }
        try {
            return new SysfsDevice(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sets and clears bits of the command register. */
    private void command(int set, int cleared) throws IOException {
        ByteBuffer command = ByteBuffer.allocate(2).order(ByteOrder.LITTLE_ENDIAN);
        configuration.read(command, COMMAND_OFFSET);
        command.putShort(0, (short) (command.getShort(0) & ~cleared | set)).rewind();
        configuration.write(command, COMMAND_OFFSET);
    }

    @Override
    public MemorySegment registers() {
        return registers;
    }

    @Override
    public void close() {
        try (configuration) {
            command(0, BUS_MASTER);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            mapping.close();
        }
    }
}
