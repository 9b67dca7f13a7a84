package dev.kernelalloc.testing;

import java.lang.management.ManagementFactory;

import javax.management.JMException;
import javax.management.ObjectName;

/** The Java heap that a thread has used. */
public final class JavaHeap {

    private JavaHeap() {}

    /** Returns the bytes that the calling thread has allocated so far. */
    public static long allocatedBytes() throws JMException {
        return (long)
                ManagementFactory.getPlatformMBeanServer()
                        .invoke(
                                new ObjectName(ManagementFactory.THREAD_MXBEAN_NAME),
                                "getThreadAllocatedBytes",
                                new Object[] {Thread.currentThread().threadId()},
                                new String[] {"long"});
    }
}
