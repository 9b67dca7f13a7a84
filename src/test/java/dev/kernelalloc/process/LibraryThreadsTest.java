package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.observe.AllocatorBean;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.URL;
import java.net.URLClassLoader;
import java.time.Duration;
import java.util.List;

/** The threads that the library starts, each kind of them, in a process of their own. */
class LibraryThreadsTest {

    private static final List<String> NAMES =
            List.of(
                    "kernel-alloc-beans",
                    "kernel-alloc-leaks",
                    "kernel-alloc-trim",
                    "kernel-alloc-verify");

    @Test
    @DisplayName("Threads inherit nothing, outlive an interrupt, and end with the last allocator")
    void libraryThreads_ofEveryKind() throws Exception {
        String output = ChildJvm.onModulePath().withNativeAccess().outputOf(EveryKind.class);
        for (String name : NAMES) {
            assertThat(output)
                    .contains(
                            name + ": daemon=true group=system priority=5 loader=null inherited=0",
                            name + ": waits again after an interrupt");
        }
        assertThat(output).containsPattern("(?s)all ended.*all run again.*all ended");
    }

    static final class EveryKind {

        /** Counts the threads that it was inherited by. */
        private static final class Inherited extends InheritableThreadLocal<Integer> {
            private int threads;

            @Override
            protected synchronized Integer childValue(Integer parent) {
                threads++;
                return parent;
            }
        }

        private static final Inherited INHERITED = new Inherited();

        private EveryKind() {}

        static void main() throws InterruptedException {
            Thread caller =
                    new Thread(new ThreadGroup("an application's"), EveryKind::useInApplication);
            caller.setContextClassLoader(new URLClassLoader(new URL[0]));
            caller.setPriority(Thread.MAX_PRIORITY);
            caller.start();
            caller.join();
        }

        private static void useInApplication() {
            INHERITED.set(1);
            use(true);
            Await.until("no thread", () -> threads().isEmpty());
            IO.println("all ended");
            use(false);
            Await.until("no thread", () -> threads().isEmpty());
            IO.println("all ended");
        }

        private static void use(boolean first) {
            PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build();
            AllocatorBean.Registration bean = AllocatorBean.register(pool);
            PhysicalAllocator physical =
                    PhysicalAllocator.builder().verifyEvery(Duration.ofMillis(200)).build();
            MemorySegment block = physical.allocate(4096, 8);
            try (Arena arena = pool.arena()) {
                arena.allocate(8);
                Await.until("all threads", () -> names().equals(NAMES));
                IO.println("all run" + (first ? "" : " again"));
                if (first) {
                    threads().forEach(EveryKind::look);
                }
            }
            physical.free(block);
            physical.close();
            bean.close();
            pool.close();
        }

        private static void look(Thread thread) {
            IO.println(
                    "%s: daemon=%s group=%s priority=%d loader=%s inherited=%d"
                            .formatted(
                                    thread.getName(),
                                    thread.isDaemon(),
                                    thread.getThreadGroup().getName(),
                                    thread.getPriority(),
                                    thread.getContextClassLoader(),
                                    INHERITED.threads));
            thread.interrupt();
            Await.until("the flag cleared", () -> !thread.isInterrupted());
            Await.until("parked", () -> thread.getState() == Thread.State.TIMED_WAITING);
            IO.println(thread.getName() + ": waits again after an interrupt");
        }

        private static List<Thread> threads() {
            return Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().startsWith("kernel-alloc"))
                    .toList();
        }

        private static List<String> names() {
            return threads().stream().map(Thread::getName).sorted().toList();
        }
    }
}
