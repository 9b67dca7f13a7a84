package dev.kernelalloc.soak;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.physical.PhysicalRequest;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;

/**
 * Arrays, vecs, slices, maps, strings and their builders compared with {@code java.util}. A round
 * has an allocator, one thread or three, and for each some containers that take turns, so that they
 * use memory that others have just freed.
 */
final class Containers implements Scenario {

    private static final int THREADS = 3;
    private static final int MOST_SUBJECTS = 5;
    private static final int STEPS = 300;
    private static final int SHOWN_STEPS = 12;
    private static final int CHECK_ALL_EVERY = 32;

    private final LongAdder steps = new LongAdder();
    private final LongAdder refused = new LongAdder();
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);

    /** The allocators; a closed one must have no live blocks. */
    private enum Memory {
        POOL {
            @Override
            KernelAllocator make(Random random) {
                return PoolAllocator.create();
            }
        },
        HARDENED {
            @Override
            KernelAllocator make(Random random) {
                return PoolAllocator.builder().hardened(true).build();
            }
        },
        UNCACHED {
            @Override
            KernelAllocator make(Random random) {
                return PoolAllocator.builder().cacheBytes(0, 0).build();
            }
        },
        /** Some steps are refused, and must change nothing then. */
        LIMITED {
            @Override
            KernelAllocator make(Random random) {
                return PoolAllocator.builder().limit(100_000 + random.nextInt(600_000)).build();
            }
        },
        SHARED {
            @Override
            KernelAllocator make(Random random) {
                return PoolAllocator.shared();
            }
        },
        SYSTEM_HEAP {
            @Override
            KernelAllocator make(Random random) {
                return PoolAllocator.systemHeap();
            }
        },
        PHYSICAL {
            @Override
            KernelAllocator make(Random random) {
                return PhysicalAllocator.create();
            }
        },
        /** Native code that leaves a block ends the process. */
        GUARDED {
            @Override
            KernelAllocator make(Random random) {
                return PhysicalAllocator.builder()
                        .request(PhysicalRequest.builder().guarded().build())
                        .build();
            }
        };

        abstract KernelAllocator make(Random random);

        boolean isClosable() {
            return this != SHARED && this != SYSTEM_HEAP;
        }
    }

    @Override
    public void round(long seed) throws Exception {
        Random random = Scenario.random(seed);
        Memory memory = Memory.values()[random.nextInt(Memory.values().length)];
        KernelAllocator allocator = memory.make(random);
        long before = memory.isClosable() ? 0 : allocator.stats().liveBlocks();
        if (random.nextInt(4) == 0) {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                long own = random.nextLong();
                running.add(
                        threads.submit(
                                () -> {
                                    histories(allocator, new Random(own), memory);
                                    return null;
                                }));
            }
            for (Future<?> thread : running) {
                joined(thread);
            }
        } else {
            histories(allocator, random, memory);
        }
        Mismatch.requireEqual(
                before, allocator.stats().liveBlocks(), "live blocks of " + allocator);
        if (memory.isClosable()) {
            allocator.close();
        }
    }

    private static void joined(Future<?> thread) throws Exception {
        try {
            thread.get();
        } catch (ExecutionException e) {
            Mismatch of = new Mismatch("in one of the threads: " + e.getCause().getMessage());
            of.initCause(e.getCause());
            throw of;
        }
    }

    private void histories(KernelAllocator allocator, Random random, Memory memory)
            throws Exception {
        List<Subject> subjects = new ArrayList<>();
        Deque<String> last = new ArrayDeque<>();
        try {
            int count = 1 + random.nextInt(MOST_SUBJECTS);
            while (subjects.size() < count) {
                try {
                    subjects.add(subject(allocator, random));
                } catch (AllocationException e) {
                    requireLimited(memory, e);
                    count--;
                }
            }
            for (int step = 0; step < STEPS && !subjects.isEmpty(); step++) {
                int index = random.nextInt(subjects.size());
                Subject subject = subjects.get(index);
                String done;
                try {
                    done = subject.step(random);
                } catch (AllocationException e) {
                    requireLimited(memory, e);
                    done = "refused";
                }
                if (last.size() == SHOWN_STEPS) {
                    last.removeFirst();
                }
                last.addLast(index + ":" + done);
                subject.check();
                if (step % CHECK_ALL_EVERY == 0) {
                    subjects.forEach(Subject::check);
                }
                steps.increment();
            }
            subjects.forEach(Subject::check);
            for (Subject subject : subjects) {
                subject.close();
            }
        } catch (Throwable e) {
            Mismatch of = new Mismatch("over %s, after %s: %s".formatted(allocator, last, e));
            of.initCause(e);
            throw of;
        }
    }

    /** Memory that is locked may also be short. */
    private void requireLimited(Memory memory, AllocationException e) {
        if (memory == Memory.LIMITED
                || memory == Memory.PHYSICAL
                || memory == Memory.GUARDED
                        && e.reason() != AllocationException.Reason.OUT_OF_MEMORY) {
            refused.increment();
        } else {
            throw e;
        }
    }

    private static Subject subject(KernelAllocator allocator, Random random) {
        if (random.nextInt(3) == 0) {
            return new StringSubject(allocator, random);
        }
        Elements<?> elements = Elements.any(random.nextInt());
        try {
            return switch (random.nextInt(3)) {
                case 0 -> new VecSubject<>(allocator, elements, random);
                case 1 -> new ArraySubject<>(allocator, elements, random);
                default -> new MapSubject<>(allocator, elements, random);
            };
        } catch (AllocationException e) {
            elements.close();
            throw e;
        }
    }

    @Override
    public String summary() {
        return "%d steps, %d refused for want of memory".formatted(steps.sum(), refused.sum());
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
