package dev.kernelalloc.observe;

import dev.kernelalloc.KernelAllocator;

import java.lang.management.ManagementFactory;
import java.util.Objects;

import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * Registers allocators with a management server, where jconsole, jmc and exporters of metrics find
 * them as {@code dev.kernelalloc:type=Allocator,name=<tag>}.
 *
 * {@snippet :
 * try (AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
 *     serve();
 * }
 * }
 *
 * <p>A registration does not keep its allocator reachable. When the allocator becomes unreachable
 * its bean is unregistered, as if the registration were closed, so a lost allocator is still
 * reported as a leak. Closing the allocator keeps the bean, since blocks may still be alive: close
 * the registration after it.
 *
 * <p>Needs the module {@code java.management}; the library itself does not.
 */
public final class AllocatorBean {

    private static final String MODULE = "java.management";

    private AllocatorBean() {}

    /** A registered allocator. Safe to use from any thread. */
    public sealed interface Registration extends AutoCloseable permits RegisteredAllocator {

        /**
         * The name it has.
         *
         * @return a name that no other bean of the server had
         */
        ObjectName name();

        /** Unregisters the bean. Does nothing if it is already unregistered. */
        @Override
        void close();
    }

    /**
     * Registers an allocator with the server of the platform.
     *
     * @param allocator the allocator to register
     * @return the registration; dropping it changes nothing
     * @throws UnsupportedOperationException if the module {@code java.management} is missing
     */
    public static Registration register(KernelAllocator allocator) {
        Objects.requireNonNull(allocator, "allocator");
        requireModule();
        return register(allocator, ManagementFactory.getPlatformMBeanServer());
    }

    /**
     * Registers an allocator with another server.
     *
     * <p>The name is the allocator's tag, quoted by {@link ObjectName#quote} if it has characters
     * that a name must not have. If the server already has a bean of that name, a number is added:
     * {@code pool}, {@code pool#2}, {@code pool#3}.
     *
     * @param allocator the allocator to register
     * @param server the server
     * @return the registration; dropping it changes nothing
     */
    public static Registration register(KernelAllocator allocator, MBeanServer server) {
        return RegisteredAllocator.of(allocator, server);
    }

    private static void requireModule() {
        if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
            throw new UnsupportedOperationException(
                    "a management bean needs the module "
                            + MODULE
                            + ", which this Java runs without: start it with --add-modules "
                            + MODULE
                            + ", or link it into the image");
        }
    }
}
