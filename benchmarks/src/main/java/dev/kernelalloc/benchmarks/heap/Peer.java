package dev.kernelalloc.benchmarks.heap;

import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/** Everything that gives a Java program native memory here. */
public enum Peer {
    RAW("raw", Family.LIBRARY),
    /** An allocator that the program has made itself. */
    RAW_OWN("raw, own allocator", Family.LIBRARY, "-D" + Library.KIND + "=own"),
    RAW_HARDENED("raw, hardened", Family.LIBRARY, "-D" + Library.KIND + "=hardened"),
    BOX("box", Family.LIBRARY),
    BOX_HARDENED("box, hardened", Family.LIBRARY, "-D" + Library.KIND + "=hardened"),
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
        return this != BOX && this != BOX_HARDENED && this != ARENA && this != CONFINED;
    }

    /** The only adapter that this JVM loads. */
    public Memory memory() {
        return switch (this) {
            case RAW, RAW_OWN, RAW_HARDENED -> new LibraryRaw();
            case BOX, BOX_HARDENED -> new LibraryBox();
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
