package dev.kernelalloc.nvme;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** A device on the PCI bus whose registers are mapped and which may access memory. */
public interface PciDevice extends AutoCloseable {

    /** The offset of the command register in the configuration space: PCI 3.0, section 6.2.2. */
    int COMMAND_OFFSET = 4;

    /** Command: the device responds to accesses of its registers. */
    int MEMORY_SPACE = 1 << 1;

    /** Command: the device may access memory. */
    int BUS_MASTER = 1 << 2;

    /** The devices of this machine. */
    Path DEVICES = Path.of("/sys/bus/pci/devices");

    /**
     * Returns the memory of BAR 0.
     *
     * @return memory that any thread may access until {@link #close}
     */
    MemorySegment registers();

    /** Forbids the device to access memory, and unmaps its registers. */
    @Override
    void close();

    /**
     * Finds the first device with some attribute in sysfs.
     *
     * @param attribute for example {@code class}
     * @param value for example {@code 0x010802}, the class of NVMe controllers
     * @return its address on the bus; empty when there is none
     */
    static Optional<String> find(String attribute, String value) {
        try (DirectoryStream<Path> devices = Files.newDirectoryStream(DEVICES)) {
            for (Path device : devices) {
                if (Files.readString(device.resolve(attribute)).strip().equals(value)) {
                    return Optional.of(device.getFileName().toString());
                }
            }
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
