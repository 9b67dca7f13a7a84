package dev.kernelalloc.observe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;

import javax.management.Attribute;
import javax.management.InstanceNotFoundException;
import javax.management.JMX;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.openmbean.CompositeData;
import javax.management.openmbean.TabularData;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXConnectorServer;
import javax.management.remote.JMXConnectorServerFactory;
import javax.management.remote.JMXServiceURL;

/** Allocators as a client of management sees them, through a connection to this process. */
class AllocatorBeanTest {

    private static final String HOST_NAME = "java.rmi.server.hostname";

    private JMXConnectorServer connectorServer;
    private JMXConnector connector;
    private MBeanServerConnection client;

    @BeforeEach
    void connect() throws Exception {
        System.setProperty(HOST_NAME, "127.0.0.1"); // whatever this machine calls itself
        connectorServer =
                JMXConnectorServerFactory.newJMXConnectorServer(
                        new JMXServiceURL("rmi", "127.0.0.1", 0),
                        null,
                        ManagementFactory.getPlatformMBeanServer());
        connectorServer.start();
        connector = JMXConnectorFactory.connect(connectorServer.getAddress());
        client = connector.getMBeanServerConnection();
    }

    @AfterEach
    void disconnect() throws Exception {
        connector.close();
        connectorServer.stop();
        System.clearProperty(HOST_NAME);
    }

    @Test
    void aClientReadsTheStatisticsWithoutAnyClassOfTheLibrary() throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tag("seen").build();
                AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
            ObjectName name = new ObjectName("dev.kernelalloc:type=Allocator,name=seen");
            assertThat(bean.name()).isEqualTo(name);
            MemorySegment block = pool.allocate(64, 8);
            assertThat(pool.tryAllocate(1L << 60, 8)).isEmpty();

            CompositeData stats = (CompositeData) client.getAttribute(name, "Statistics");
            assertThat(stats.get("tag")).isEqualTo("seen");
            assertThat(((CompositeData) stats.get("live")).get("blocks")).isEqualTo(1L);
            assertThat(((CompositeData) stats.get("live")).get("bytes")).isEqualTo(64L);
            assertThat(((CompositeData[]) stats.get("sizeClasses"))[0].get("blockBytes"))
                    .isEqualTo(64L);
            assertThat(((CompositeData[]) stats.get("chunks"))[0].get("kind"))
                    .isEqualTo("SYSTEM_HEAP");
            TabularData refusals = (TabularData) stats.get("refusals");
            assertThat(refusals.get(new Object[] {"OUT_OF_MEMORY"}).get("value")).isEqualTo(1L);
            assertThat(client.getAttribute(name, "LiveBytes")).isEqualTo(64L);
            assertThat(client.getAttribute(name, "CapacityBytes"))
                    .isEqualTo(pool.stats().capacityBytes());
            pool.free(block);
        }
    }

    @Test
    void aClientWithTheLibraryGetsTheSameNumbers() throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tag("proxied").build();
                AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
            MemorySegment block = pool.allocate(64, 8);
            AllocatorMXBean proxy = JMX.newMXBeanProxy(client, bean.name(), AllocatorMXBean.class);
            AllocatorMXBean.Statistics there = proxy.getStatistics();
            AllocatorStats here = pool.stats();
            assertThat(there.getTag()).isEqualTo("proxied");
            assertThat(there.getAllocators()).isEqualTo(1);
            assertThat(there.getLive()).isEqualTo(here.live());
            assertThat(there.getCached()).isEqualTo(here.cached());
            assertThat(there.getRemote()).isEqualTo(here.remote());
            assertThat(there.getFree()).isEqualTo(here.free());
            assertThat(there.getQuarantined()).isEqualTo(here.quarantined());
            assertThat(there.getCapacity()).isEqualTo(here.capacity());
            assertThat(there.getPeakBytes()).isEqualTo(here.peakBytes());
            assertThat(there.getSizeClasses()).isEqualTo(here.sizeClasses()).isNotEmpty();
            assertThat(there.getLarge()).isEqualTo(here.large());
            assertThat(there.getChunks()).isEqualTo(here.chunks()).isNotEmpty();
            assertThat(there.getRefusals()).isEqualTo(here.refusals());
            assertThat(proxy.describe()).isEqualTo(here.describe());
            pool.free(block);
        }
    }

    @Test
    void aClientTrimsAndChangesTheTracking() throws Exception {
        try (PoolAllocator pool =
                        PoolAllocator.builder().tag("steered").tracking(Tracking.OFF).build();
                AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
            pool.free(pool.allocate(20L << 20, 8));
            client.invoke(bean.name(), "trim", null, null);
            assertThat(pool.stats().capacityBytes()).isZero();

            assertThat(client.getAttribute(bean.name(), "Tracking")).isEqualTo("OFF");
            client.setAttribute(bean.name(), new Attribute("Tracking", "ALL"));
            assertThat(pool.tracking()).isEqualTo(Tracking.ALL);
        }
    }

    @Test
    void equalTagsGetNumbersAndStrangeOnesQuotes() throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tag("twice").build();
                PoolAllocator other = PoolAllocator.builder().tag("twice").build();
                PoolAllocator strange = PoolAllocator.builder().tag("a=b, \"c\"*\n").build();
                AllocatorBean.Registration first = AllocatorBean.register(pool);
                AllocatorBean.Registration second = AllocatorBean.register(other);
                AllocatorBean.Registration third = AllocatorBean.register(strange)) {
            assertThat(first.name().getKeyProperty("name")).isEqualTo("twice");
            assertThat(second.name().getKeyProperty("name")).isEqualTo("twice#2");
            String quoted = third.name().getKeyProperty("name");
            assertThat(ObjectName.unquote(quoted)).isEqualTo("a=b, \"c\"*\n");
            assertThat(client.isRegistered(third.name())).isTrue();
        }
    }

    @Test
    void closingTheRegistrationEndsTheBeanOnce() throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tag("unregistered").build()) {
            AllocatorBean.Registration bean = AllocatorBean.register(pool);
            bean.close();
            bean.close();
            assertThatExceptionOfType(InstanceNotFoundException.class)
                    .isThrownBy(() -> client.getAttribute(bean.name(), "LiveBytes"));
            try (AllocatorBean.Registration again = AllocatorBean.register(pool)) {
                assertThat(again.name()).isEqualTo(bean.name());
                bean.close();
                assertThat(client.isRegistered(again.name())).as("not the other's").isTrue();
            }
        }
    }

    @Test
    void aClosedAllocatorIsStillSeen() throws Exception {
        PoolAllocator pool = PoolAllocator.builder().tag("closed").build();
        MemorySegment block = pool.allocate(64, 8);
        try (AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
            assertThatExceptionOfType(LiveBlocksException.class).isThrownBy(pool::close);
            assertThat(client.getAttribute(bean.name(), "LiveBytes")).isEqualTo(64L);
            pool.free(block);
            assertThat(client.getAttribute(bean.name(), "CapacityBytes")).isEqualTo(0L);
        }
    }

    @Test
    void aBeanDoesNotKeepItsAllocatorAlive() {
        ObjectName name = registerAndDrop();
        Await.until(
                "unregistered",
                () -> {
                    System.gc();
                    return !ManagementFactory.getPlatformMBeanServer().isRegistered(name);
                });
    }

    @SuppressWarnings("resource") // dropped, not closed: that is what is tested
    private static ObjectName registerAndDrop() {
        return AllocatorBean.register(PoolAllocator.builder().tag("dropped").build()).name();
    }
}
