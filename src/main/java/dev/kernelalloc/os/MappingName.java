package dev.kernelalloc.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * The name of an allocator's memory in the process map: {@code [anon:kernel-alloc:<tag>]} in {@code
 * /proc/self/smaps}. A name changes nothing else about pages, so it is set if the kernel accepts
 * it, and a refusal is ignored.
 */
public final class MappingName {

    /** The kernel takes 80, with the end of the string. */
    private static final int MOST_BYTES = 79;

    /** Characters that the kernel does not accept, in addition to unprintable ones. */
    private static final String FORBIDDEN = "\\`$[]";

    private final OperatingSystem os;
    private final String text;

    /** Whether the kernel supports no names, or a policy forbids them: it is not called again. */
    private volatile boolean refused;

    /**
     * A name.
     *
     * @param tag of which every character that the kernel refuses becomes an underscore, and the
     *     end is left out where it is too long
     */
    public MappingName(OperatingSystem os, String tag) {
        this.os = os;
        this.text = textOf(tag);
    }

    static String textOf(String tag) {
        StringBuilder text = new StringBuilder("kernel-alloc:");
        for (int i = 0; i < tag.length() && text.length() < MOST_BYTES; i++) {
            char c = tag.charAt(i);
            boolean taken = c >= ' ' && c < 0x7f && FORBIDDEN.indexOf(c) < 0;
            text.append(taken ? c : '_');
        }
        return text.toString();
    }

    /** Names whole pages. */
    public void assign(long address, long bytes) {
        set(address, bytes, true);
    }

    /** Takes the name off whole pages. */
    public void clear(long address, long bytes) {
        set(address, bytes, false);
    }

    private void set(long address, long bytes, boolean named) {
        if (refused) {
            return;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment name =
                    named
                            ? scratch.allocateFrom(text, StandardCharsets.US_ASCII)
                            : MemorySegment.NULL;
            os.name(address, bytes, name, scratch.allocate(CallState.LAYOUT));
        } catch (Refusal.NotSupported | Refusal.NotPermitted _) {
            refused = true;
        } catch (Refusal | OutOfMemoryError _) {
            // No mapping left, pages of a file, or the Java heap is exhausted: without a name then.
        }
    }
}
