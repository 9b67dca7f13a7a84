package dev.kernelalloc;

import dev.kernelalloc.core.LimitProperty;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/** The allocator of the process, chosen once. */
final class GlobalAllocator {

    private static final String PROPERTY = "dev.kernelalloc.global";

    private static volatile @Nullable KernelAllocator chosen;

    private GlobalAllocator() {}

    static KernelAllocator get() {
        KernelAllocator known = chosen;
        return known != null ? known : choose();
    }

    static synchronized void set(KernelAllocator allocator) {
        if (chosen != null) {
            throw new IllegalStateException(
                    "the global allocator is "
                            + chosen
                            + " already: set it once, before first use");
        }
        choose(allocator);
    }

    private static synchronized KernelAllocator choose() {
        KernelAllocator known = chosen;
        return known != null ? known : choose(fromProperty());
    }

    private static KernelAllocator choose(KernelAllocator allocator) {
        AbstractAllocator.blocksOf(allocator).serveProcess();
        chosen = allocator;
        return allocator;
    }

    private static KernelAllocator fromProperty() {
        String value = System.getProperty(PROPERTY, "pool");
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "pool" -> PoolAllocator.shared();
            case "physical" ->
                    PhysicalAllocator.builder().tag("global").limit(LimitProperty.read()).build();
            default ->
                    throw new IllegalArgumentException(
                            String.format(
                                    Locale.ROOT,
                                    "-D%s=%s: must be pool or physical",
                                    PROPERTY,
                                    value));
        };
    }
}
