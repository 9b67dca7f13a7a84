package dev.kernelalloc.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;

import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightProducer;
import org.apache.arrow.flight.FlightServer;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.NoOpFlightProducer;
import org.apache.arrow.flight.Ticket;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;

/** A server and a client of Arrow Flight on the loopback interface, each over a pool of its own. */
@SuppressWarnings("try") // Flight's close methods throw InterruptedException
class FlightTest {

    private static final int BATCHES = 20;
    private static final int ROWS = 10_000;

    @Test
    @DisplayName("Flight exchanges batches that lie in our memory on both sides, and loses none")
    void flight_onLoopback_exchangesBatches() throws Exception {
        try (PoolAllocator ofServer = PoolAllocator.builder().tag("server").build();
                PoolAllocator ofClient = PoolAllocator.builder().tag("client").build()) {
            try (RootAllocator serverRoot = root(ofServer);
                    RootAllocator clientRoot = root(ofClient);
                    FlightServer server =
                            FlightServer.builder(
                                            serverRoot,
                                            Location.forGrpcInsecure("localhost", 0),
                                            new Numbers(serverRoot, ofServer))
                                    .build()
                                    .start();
                    FlightClient client =
                            FlightClient.builder(
                                            clientRoot,
                                            Location.forGrpcInsecure("localhost", server.getPort()))
                                    .build()) {
                read(client, ofClient);
            }
            assertThat(ofServer.stats().liveBlocks()).isZero();
            assertThat(ofClient.stats().liveBlocks()).isZero();
        }
    }

    private static void read(FlightClient client, PoolAllocator memory) throws Exception {
        try (FlightStream stream = client.getStream(new Ticket(new byte[0]))) {
            long expected = 0;
            while (stream.next()) {
                BigIntVector numbers = (BigIntVector) stream.getRoot().getVector("numbers");
                assertThatIsIn(memory, numbers);
                for (int i = 0; i < stream.getRoot().getRowCount(); i++) {
                    assertThat(numbers.get(i)).isEqualTo(expected++);
                }
            }
            assertThat(expected).isEqualTo((long) BATCHES * ROWS);
        }
    }

    /** Sends the numbers from 0 on. */
    private static final class Numbers extends NoOpFlightProducer {

        private final BufferAllocator root;
        private final PoolAllocator memory;

        Numbers(BufferAllocator root, PoolAllocator memory) {
            this.root = root;
            this.memory = memory;
        }

        @Override
        public void getStream(
                FlightProducer.CallContext context,
                Ticket ticket,
                FlightProducer.ServerStreamListener listener) {
            try (BigIntVector numbers = new BigIntVector("numbers", root);
                    VectorSchemaRoot batch = VectorSchemaRoot.of(numbers)) {
                listener.start(batch);
                long next = 0;
                for (int i = 0; i < BATCHES; i++) {
                    numbers.allocateNew(ROWS);
                    assertThatIsIn(memory, numbers);
                    for (int row = 0; row < ROWS; row++) {
                        numbers.set(row, next++);
                    }
                    batch.setRowCount(ROWS);
                    listener.putNext();
                }
                listener.completed();
            } catch (Throwable e) {
                listener.error(e);
            }
        }
    }

    /** Finds the block that the values lie in: that of a received batch begins before them. */
    private static void assertThatIsIn(PoolAllocator memory, BigIntVector vector) {
        long values = vector.getDataBuffer().memoryAddress();
        long bytes = (long) ROWS * BigIntVector.TYPE_WIDTH;
        long usable = 0;
        long start = values & -64;
        for (; usable == 0 && start > values - bytes; start -= 64) {
            usable = usableSize(memory, start);
        }
        assertThat(start + 64 + usable).isGreaterThanOrEqualTo(values + bytes);
    }

    /** Returns 0 where no block starts. */
    private static long usableSize(PoolAllocator memory, long address) {
        try {
            return memory.usableSize(MemorySegment.ofAddress(address));
        } catch (IllegalArgumentException _) {
            return 0;
        }
    }

    private static RootAllocator root(PoolAllocator memory) {
        return new RootAllocator(
                RootAllocator.configBuilder()
                        .allocationManagerFactory(new KernelAllocationManagerFactory(memory))
                        .build());
    }
}
