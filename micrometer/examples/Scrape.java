import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.micrometer.AllocatorMetrics;
import dev.kernelalloc.micrometer.LeakMetrics;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;

/** Prints what Prometheus reads. */
class Scrape {

    public static void main(String[] args) {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        LeakMetrics leaks = new LeakMetrics(registry);
        var settings = PoolAllocator.builder().tag("orders").limit(64 << 20).onLeak(leaks);
        try (PoolAllocator pool = settings.build();
                AllocatorMetrics metrics = new AllocatorMetrics(pool)) {
            metrics.bindTo(registry);
            pool.free(pool.allocate(4096, 8));
            System.out.println(registry.scrape());
        }
    }
}
