package dev.kernelalloc.observe;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Tracking;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.util.Objects;
import java.util.regex.Pattern;

import javax.management.InstanceAlreadyExistsException;
import javax.management.InstanceNotFoundException;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;
import javax.management.StandardMBean;

/** A bean and its place in a server; one cleaner for all, as there are few allocators. */
record RegisteredAllocator(ObjectName name, Cleaner.Cleanable end)
        implements AllocatorBean.Registration {

    private static final Cleaner CLEANER = Cleaner.create();

    /** What stands in a name without quotes. */
    private static final Pattern PLAIN = Pattern.compile("[^,=:\"*?\\n]+");

    /** The bean: of an allocator that may be gone. */
    private record Bean(Reference<KernelAllocator> reference) implements AllocatorMXBean {

        private KernelAllocator allocator() {
            KernelAllocator allocator = reference.get();
            if (allocator == null) {
                throw new IllegalStateException("the allocator is gone: nothing referred to it");
            }
            return allocator;
        }

        @Override
        public AllocatorStats getStatistics() {
            return allocator().stats();
        }

        @Override
        public long getLiveBytes() {
            return getStatistics().liveBytes();
        }

        @Override
        public long getCapacityBytes() {
            return getStatistics().capacityBytes();
        }

        @Override
        public Tracking getTracking() {
            return allocator().tracking();
        }

        @Override
        public void setTracking(Tracking level) {
            allocator().tracking(Objects.requireNonNull(level, "level"));
        }

        @Override
        public void trim() {
            allocator().trim();
        }

        @Override
        public String describe() {
            return getStatistics().describe();
        }
    }

    /** Registers an allocator, to be unregistered by whoever closes it, or when it is gone. */
    static RegisteredAllocator of(KernelAllocator allocator, MBeanServer server) {
        StandardMBean bean =
                new StandardMBean(
                        new Bean(new WeakReference<>(allocator)), AllocatorMXBean.class, true);
        ObjectName name = register(bean, allocator.stats().tag(), server);
        return new RegisteredAllocator(
                name, CLEANER.register(allocator, () -> unregister(name, server)));
    }

    private static ObjectName register(StandardMBean bean, String tag, MBeanServer server) {
        for (int number = 1; ; number++) {
            try {
                ObjectName name = name(number == 1 ? tag : tag + "#" + number);
                return server.registerMBean(bean, name).getObjectName();
            } catch (InstanceAlreadyExistsException _) {
                // Another has the tag: the next number.
            } catch (JMException e) {
                throw new IllegalStateException("the server refused the bean of '" + tag + "'", e);
            }
        }
    }

    private static ObjectName name(String text) throws MalformedObjectNameException {
        String value = PLAIN.matcher(text).matches() ? text : ObjectName.quote(text);
        return new ObjectName("dev.kernelalloc:type=Allocator,name=" + value);
    }

    private static void unregister(ObjectName name, MBeanServer server) {
        try {
            server.unregisterMBean(name);
        } catch (InstanceNotFoundException _) {
            // Somebody else has done it.
        } catch (JMException e) {
            throw new IllegalStateException("the server keeps the bean " + name, e);
        }
    }

    @Override
    public void close() {
        end.clean();
    }
}
