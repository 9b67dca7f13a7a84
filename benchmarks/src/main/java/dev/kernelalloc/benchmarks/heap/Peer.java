package dev.kernelalloc.benchmarks.heap;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/** Everything that gives a Java program native memory here. */
public enum Peer {
    RAW("raw", Family.LIBRARY),
    /** An allocator that the program has made itself. */
    RAW_OWN("raw, own allocator", Family.LIBRARY, "-D" + Library.KIND + "=own"),
    /** An allocator over memory that the program supplies. */
    RAW_SOURCE("raw, own source", Family.LIBRARY, "-D" + Library.KIND + "=source"),
    RAW_HARDENED("raw, hardened", Family.LIBRARY, "-D" + Library.KIND + "=hardened"),
    RAW_DOUBLE_FREE(
            "raw, double-free",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=double-free",
            "-D" + Library.KIND + "=own"),
    RAW_OVERWRITE(
            "raw, overwrite",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=overwrite",
            "-D" + Library.KIND + "=own"),
    RAW_CANARY(
            "raw, canary",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=canary",
            "-D" + Library.KIND + "=own"),
    RAW_QUARANTINE(
            "raw, quarantine",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=quarantine",
            "-D" + Library.KIND + "=own"),
    RAW_RANDOM_ORDER(
            "raw, random-order",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=random-order",
            "-D" + Library.KIND + "=own"),
    BOX("box", Family.LIBRARY),
    BOX_HARDENED("box, hardened", Family.LIBRARY, "-D" + Library.KIND + "=hardened"),
    BOX_DOUBLE_FREE(
            "box, double-free",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=double-free",
            "-D" + Library.KIND + "=own"),
    BOX_OVERWRITE(
            "box, overwrite",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=overwrite",
            "-D" + Library.KIND + "=own"),
    BOX_CANARY(
            "box, canary",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=canary",
            "-D" + Library.KIND + "=own"),
    BOX_QUARANTINE(
            "box, quarantine",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=quarantine",
            "-D" + Library.KIND + "=own"),
    BOX_RANDOM_ORDER(
            "box, random-order",
            Family.LIBRARY,
            "-Ddev.kernelalloc.hardened=random-order",
            "-D" + Library.KIND + "=own"),
    ARENA("arena", Family.LIBRARY),
    CONFINED("Arena.ofConfined", Family.OTHER),
    SHARED("Arena.ofShared", Family.OTHER),
    AUTO("Arena.ofAuto", Family.OTHER),
    MALLOC("FFM malloc", Family.OTHER),
    NETTY_POOLED("Netty pooled", Family.OTHER),
    NETTY_ADAPTIVE("Netty adaptive", Family.OTHER),
    JEMALLOC("LWJGL jemalloc", Family.OTHER),
    RPMALLOC("LWJGL rpmalloc", Family.OTHER),
    MIMALLOC("LWJGL mimalloc", Family.OTHER);

    private enum Family {
        LIBRARY,
        OTHER
    }

    /** A pool with all measures, and with each alone: what hardening costs. */
    static final List<Peer> HARDENED =
            List.of(
                    RAW_HARDENED,
                    RAW_DOUBLE_FREE,
                    RAW_OVERWRITE,
                    RAW_CANARY,
                    RAW_QUARANTINE,
                    RAW_RANDOM_ORDER,
                    BOX_HARDENED,
                    BOX_DOUBLE_FREE,
                    BOX_OVERWRITE,
                    BOX_CANARY,
                    BOX_QUARANTINE,
                    BOX_RANDOM_ORDER);

    private static final Set<Peer> BOXES =
            EnumSet.of(
                    BOX,
                    BOX_HARDENED,
                    BOX_DOUBLE_FREE,
                    BOX_OVERWRITE,
                    BOX_CANARY,
                    BOX_QUARANTINE,
                    BOX_RANDOM_ORDER);

    private final String title;
    private final Family family;
    private final List<String> jvmArguments;

    Peer(String title, Family family, String... jvmArguments) {
        this.title = title;
        this.family = family;
        this.jvmArguments = List.of(jvmArguments);
    }

    /** Those that are not this library and of which something holds. */
    static List<Peer> others(Predicate<Peer> which) {
        return Arrays.stream(values())
                .filter(peer -> peer.family != Family.LIBRARY)
                .filter(which)
                .toList();
    }

    String title() {
        return title;
    }

    List<String> jvmArguments() {
        return jvmArguments;
    }

    /** Whether another thread may free. */
    boolean crossesThreads() {
        return !BOXES.contains(this) && this != ARENA && this != CONFINED;
    }

    /** The only adapter that this JVM loads. */
    public Memory memory() {
        return switch (this) {
            case RAW,
                    RAW_OWN,
                    RAW_SOURCE,
                    RAW_HARDENED,
                    RAW_DOUBLE_FREE,
                    RAW_OVERWRITE,
                    RAW_CANARY,
                    RAW_QUARANTINE,
                    RAW_RANDOM_ORDER ->
                    new LibraryRaw();
            case BOX,
                    BOX_HARDENED,
                    BOX_DOUBLE_FREE,
                    BOX_OVERWRITE,
                    BOX_CANARY,
                    BOX_QUARANTINE,
                    BOX_RANDOM_ORDER ->
                    new LibraryBox();
            case ARENA -> new LibraryArena();
            case CONFINED -> new ConfinedArenas();
            case SHARED -> new SharedArenas();
            case AUTO -> new AutoArenas();
            case MALLOC -> new AddressMemory(new FfmMalloc());
            case NETTY_POOLED -> new NettyBuffers(NettyBuffers.pooled());
            case NETTY_ADAPTIVE -> new NettyBuffers(NettyBuffers.adaptive());
            case JEMALLOC -> new AddressMemory(new LwjglJemalloc());
            case RPMALLOC -> new AddressMemory(new LwjglRpmalloc());
            case MIMALLOC -> new AddressMemory(new LwjglMimalloc());
        };
    }
}
