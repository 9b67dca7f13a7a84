package dev.kernelalloc.testing;

import java.util.concurrent.FutureTask;

/** A thread whose stack ends soon. */
public final class SmallStack {

    private SmallStack() {}

    /** Runs a task on a thread of its own, and throws what it has thrown. */
    public static void run(boolean virtual, Runnable task) throws Exception {
        FutureTask<Void> result = new FutureTask<>(task, null);
        Thread thread =
                virtual
                        ? Thread.ofVirtual().unstarted(result)
                        : Thread.ofPlatform().stackSize(256 << 10).unstarted(result);
        thread.start();
        thread.join();
        result.get();
    }
}
