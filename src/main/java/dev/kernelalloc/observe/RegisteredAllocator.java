package dev.kernelalloc.observe;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.heap.BackgroundThread;

import org.jspecify.annotations.Nullable;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import javax.management.InstanceAlreadyExistsException;
import javax.management.InstanceNotFoundException;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;
import javax.management.StandardMBean;

/**
 * A registered bean. One thread unregisters the beans of allocators that nothing refers to any
 * more; it runs while any bean is registered.
 */
final class RegisteredAllocator extends PhantomReference<KernelAllocator>
        implements AllocatorBean.Registration {

    private static final Set<RegisteredAllocator> OPEN = ConcurrentHashMap.newKeySet();
    private static final ReferenceQueue<KernelAllocator> GONE = new ReferenceQueue<>();
    private static final long PERIOD_MILLIS = TimeUnit.SECONDS.toMillis(1);

    private static final BackgroundThread THREAD =
            new BackgroundThread("kernel-alloc-beans", new Unregistering());

    private static final class Unregistering implements BackgroundThread.Work {

        private @Nullable Reference<? extends KernelAllocator> gone;

        @Override
        public boolean isPending() {
            return !OPEN.isEmpty();
        }

        @Override
        public void await() throws InterruptedException {
            gone = GONE.remove(PERIOD_MILLIS);
        }

        @Override
        public void round() {
            if (gone instanceof RegisteredAllocator registration) {
                gone = null;
                registration.close();
            }
        }
    }

    /** Characters that a name may have without quotes. */
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
        public Statistics getStatistics() {
            return new BeanStatistics(allocator().stats());
        }

        @Override
        public long getLiveBytes() {
            return allocator().stats().liveBytes();
        }

        @Override
        public long getCapacityBytes() {
            return allocator().stats().capacityBytes();
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
        public String liveStacks() {
            return LiveProfile.collapsed(allocator().liveGroups());
        }

        @Override
        public byte[] liveProfile() {
            return LiveProfile.pprof(allocator().liveGroups());
        }

        @Override
        public void trim() {
            allocator().trim();
        }

        @Override
        public String describe() {
            return allocator().stats().describe();
        }
    }

    private final ObjectName name;
    private final MBeanServer server;

    private RegisteredAllocator(KernelAllocator allocator, ObjectName name, MBeanServer server) {
        super(allocator, GONE);
        this.name = name;
        this.server = server;
    }

    @Override
    public ObjectName name() {
        return name;
    }

    /** Registers an allocator, to be unregistered by whoever closes it, or when it is gone. */
    static RegisteredAllocator of(KernelAllocator allocator, MBeanServer server) {
        StandardMBean bean =
                new StandardMBean(
                        new Bean(new WeakReference<>(allocator)), AllocatorMXBean.class, true);
        ObjectName name = register(bean, allocator.stats().tag(), server);
        RegisteredAllocator registration = new RegisteredAllocator(allocator, name, server);
        OPEN.add(registration);
        THREAD.ensureRunning();
        return registration;
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
            // Already unregistered.
        } catch (JMException e) {
            throw new IllegalStateException("the server keeps the bean " + name, e);
        }
    }

    @Override
    public void close() {
        if (OPEN.remove(this)) {
            clear();
            unregister(name, server);
        }
    }
}
