package dev.kernelalloc.guide;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.observe.AllocatorBean;

import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;

import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.management.openmbean.CompositeData;

/** Prints what docs/observability.md shows of statistics; its argument says which part. */
final class Statistics {

    private Statistics() {}

    @SuppressWarnings("try") // the registration is there to be seen
    public static void main(String[] part) throws Exception {
        // guide: statistics
        PoolAllocator pool = PoolAllocator.builder().tag("orders").build();
        pool.tryAllocate(1L << 60, 8); // nothing has so much
        List<MemorySegment> blocks = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            blocks.add(pool.allocate(64, 8));
        }
        blocks.subList(0, 100).forEach(pool::free);
        blocks.subList(0, 100).clear();
        blocks.add(pool.allocate(1_500, 8));
        blocks.add(pool.allocate(20 << 20, 8));
        // end
        if (part[0].equals("table")) {
            System.out.print(pool.stats().describe());
        } else if (part[0].equals("tags")) {
            AllocatorStats.byTag().forEach(System.out::println);
        } else {
            // guide: bean
            try (AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
                // end
                show(bean.name());
            }
        }
        blocks.forEach(pool::free);
        pool.close();
    }

    private static void show(ObjectName name) throws Exception {
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        System.out.println(name);
        for (String attribute : List.of("LiveBytes", "CapacityBytes", "Tracking")) {
            System.out.println("  " + attribute + ": " + server.getAttribute(name, attribute));
        }
        CompositeData statistics = (CompositeData) server.getAttribute(name, "Statistics");
        System.out.println("  Statistics:");
        for (String item : List.of("live", "cached", "remote", "free", "capacity")) {
            CompositeData amount = (CompositeData) statistics.get(item);
            System.out.println(
                    "    %s: blocks %s, bytes %s"
                            .formatted(item, amount.get("blocks"), amount.get("bytes")));
        }
        System.out.println("    peakBytes: " + statistics.get("peakBytes"));
    }
}
