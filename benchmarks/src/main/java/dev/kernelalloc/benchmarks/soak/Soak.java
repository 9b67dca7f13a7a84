package dev.kernelalloc.benchmarks.soak;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.benchmarks.heap.work.Resident;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Uses everything of an allocator from eight threads, and looks at every byte. Blocks are stamped
 * when they are allocated and verified before they are freed, by whichever thread has them then.
 * Ends with a value other than 0 at the first wrong byte, at any exception, and when something is
 * alive at the end.
 *
 * <p>With the second argument "disturbed" threads end after some thousand operations and are
 * replaced, by platform and virtual threads at random, and trim more often.
 */
public final class Soak {

    private static final int THREADS = 8;
    private static final int MAILBOXES = 256;
    private static final long REPORT_SECONDS = 10;

    private Soak() {}

    static void main(String... arguments) throws Exception {
        long operations = Long.parseLong(arguments[0]);
        boolean disturbed = arguments.length > 1 && arguments[1].equals("disturbed");
        PoolAllocator pool = PoolAllocator.create();
        AtomicReferenceArray<Held> mailboxes = new AtomicReferenceArray<>(MAILBOXES);
        List<SoakThread> workers = new ArrayList<>();
        List<FutureTask<Void>> tasks = new ArrayList<>();
        System.out.printf(
                "%,d operations on %d threads%s; %.0f MiB resident%n",
                operations,
                THREADS,
                disturbed ? " that end and are replaced" : "",
                Resident.mebibytes());
        for (int seed = 0; seed < THREADS; seed++) {
            SoakThread worker =
                    new SoakThread(pool, mailboxes, seed, operations / THREADS + 1, disturbed);
            FutureTask<Void> task =
                    disturbed
                            ? new FutureTask<>(
                                    () -> {
                                        worker.runInLegs();
                                        return null;
                                    })
                            : new FutureTask<>(worker, null);
            workers.add(worker);
            tasks.add(task);
            Thread.ofPlatform().name("soak-" + seed).daemon().start(task);
        }
        boolean fine = true;
        for (FutureTask<Void> task : tasks) {
            fine &= await(task, workers);
        }
        if (!fine) {
            System.exit(1); // the allocator's state means nothing now
        }
        for (int i = 0; i < MAILBOXES; i++) {
            Held held = mailboxes.get(i);
            if (held != null) {
                held.verify();
                held.free(pool);
            }
        }
        report(workers);
        System.out.println(SoakThread.sum(workers));
        AllocatorStats stats = pool.stats();
        System.out.println(stats);
        pool.trim();
        System.out.printf("%.0f MiB resident after trim()%n", Resident.mebibytes());
        System.out.println(pool.stats());
        if (stats.liveBlocks() != 0 || stats.liveBytes() != 0) {
            System.out.println("WRONG: everything was freed, yet something is alive");
            System.exit(1);
        }
        pool.close();
        System.out.println("Every byte was right.");
    }

    private static boolean await(FutureTask<Void> task, List<SoakThread> workers) throws Exception {
        while (true) {
            try {
                task.get(REPORT_SECONDS, TimeUnit.SECONDS);
                return true;
            } catch (TimeoutException _) {
                report(workers);
            } catch (ExecutionException e) {
                System.out.println("WRONG: " + e.getCause());
                e.getCause().printStackTrace(System.out);
                return false;
            }
        }
    }

    private static void report(List<SoakThread> workers) throws Exception {
        System.out.printf(
                "%,d operations, %.0f MiB resident%n",
                workers.stream().mapToLong(SoakThread::operations).sum(), Resident.mebibytes());
    }
}
