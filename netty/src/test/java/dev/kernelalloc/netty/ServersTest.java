package dev.kernelalloc.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.ResourceLeakDetector;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Servers and clients on the loopback interface, all of whose buffers are blocks of one pool. */
@Isolated("sets the level of the leak detector")
class ServersTest {

    private static final int CONNECTIONS = 8;
    private static final int ROUNDS = 5;
    private static final int REQUESTS_PER_ROUND = 50;
    private static final int MAX_BODY_BYTES = 64 << 10;

    private final PoolAllocator memory = PoolAllocator.create();
    private final KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);
    private final EventLoopGroup loops =
            new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    private ResourceLeakDetector.Level levelBefore;

    @BeforeEach
    void detectLeaks() {
        levelBefore = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
    }

    @AfterEach
    void close() throws InterruptedException {
        ResourceLeakDetector.setLevel(levelBefore);
        loops.shutdownGracefully(0, 5, TimeUnit.MINUTES).sync();
        memory.close(); // throws where a buffer is still alive
    }

    @Test
    @DisplayName("An echo server under load loses no buffer, and its memory stays flat")
    void echo_underLoad_losesNothing() throws Exception {
        Channel server = listen(pipeline -> pipeline.addLast(new Echo()));
        load(server, this::echoClient);
    }

    @Test
    @DisplayName("An HTTP/1.1 server under load loses no buffer, and its memory stays flat")
    void http_underLoad_losesNothing() throws Exception {
        Channel server =
                listen(
                        pipeline ->
                                pipeline.addLast(new HttpServerCodec())
                                        .addLast(new HttpObjectAggregator(2 * MAX_BODY_BYTES))
                                        .addLast(new HttpEcho()));
        load(server, this::httpClient);
    }

    private interface Client {
        /** Connects to a server and sends requests; completes when all are answered. */
        CompletableFuture<Void> run(Channel server, long seed) throws InterruptedException;
    }

    private void load(Channel server, Client client) throws Exception {
        long peakAfterFirst = 0;
        for (int round = 0; round < ROUNDS; round++) {
            List<CompletableFuture<Void>> ends = new ArrayList<>();
            for (int i = 0; i < CONNECTIONS; i++) {
                ends.add(client.run(server, round * CONNECTIONS + i));
            }
            for (CompletableFuture<Void> end : ends) {
                end.get(5, TimeUnit.MINUTES);
            }
            if (round == 0) {
                peakAfterFirst = memory.stats().peakBytes();
                assertThat(peakAfterFirst).isPositive();
            }
        }
        server.close().sync();
        assertThat(memory.stats().peakBytes()).isLessThanOrEqualTo(2 * peakAfterFirst);
    }

    private Channel listen(Consumer<ChannelPipeline> handlers) throws InterruptedException {
        return new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, allocator)
                .childOption(ChannelOption.ALLOCATOR, allocator)
                .childHandler(initializer(handlers))
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    private void connect(Channel server, Consumer<ChannelPipeline> handlers)
            throws InterruptedException {
        new Bootstrap()
                .group(loops)
                .channel(NioSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, allocator)
                .handler(initializer(handlers))
                .connect(server.localAddress())
                .sync();
    }

    private static ChannelInitializer<SocketChannel> initializer(
            Consumer<ChannelPipeline> handlers) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(SocketChannel channel) {
                handlers.accept(channel.pipeline());
            }
        };
    }

    private void requireOurs(ChannelHandlerContext context, ByteBuf read) {
        assertThat(context.alloc()).isSameAs(allocator);
        if (read.isReadable()) {
            assertThat(read.isDirect()).isTrue();
            assertThat(read.alloc()).isSameAs(allocator);
            assertThat(memory.stats().liveBlocks()).isPositive();
        }
    }

    // ---- echo ---------------------------------------------------------------------------------

    private static final class Echo extends ChannelInboundHandlerAdapter {

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            context.write(message);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }
    }

    private CompletableFuture<Void> echoClient(Channel server, long seed)
            throws InterruptedException {
        CompletableFuture<Void> end = new CompletableFuture<>();
        connect(server, pipeline -> pipeline.addLast(new EchoClient(seed, end)));
        return end;
    }

    /** Sends bodies of random sizes, each once the one before has come back as it was. */
    private final class EchoClient extends SimpleChannelInboundHandler<ByteBuf> {

        private final SplittableRandom random;
        private final CompletableFuture<Void> end;
        private int sent;
        private int missing;
        private byte expected;

        EchoClient(long seed, CompletableFuture<Void> end) {
            this.random = new SplittableRandom(seed);
            this.end = end;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            send(context);
        }

        private void send(ChannelHandlerContext context) {
            if (sent++ == REQUESTS_PER_ROUND) {
                context.close().addListener(_ -> end.complete(null));
                return;
            }
            missing = 1 + random.nextInt(MAX_BODY_BYTES);
            expected = (byte) random.nextInt();
            context.writeAndFlush(body(context, missing, expected));
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf read) {
            requireOurs(context, read);
            missing -= read.readableBytes();
            assertThat(read.forEachByte(value -> value == expected)).isEqualTo(-1);
            if (missing == 0) {
                send(context);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            end.completeExceptionally(cause);
            context.close();
        }
    }

    /** Grows while it is written. */
    private static ByteBuf body(ChannelHandlerContext context, int bytes, byte value) {
        byte[] part = new byte[1000];
        Arrays.fill(part, value);
        ByteBuf body = context.alloc().buffer(16);
        while (body.readableBytes() < bytes) {
            body.writeBytes(part, 0, Math.min(bytes - body.readableBytes(), part.length));
        }
        return body;
    }

    // ---- HTTP ---------------------------------------------------------------------------------

    private final class HttpEcho extends SimpleChannelInboundHandler<FullHttpRequest> {

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            requireOurs(context, request.content());
            ByteBuf content = request.content().retain();
            FullHttpResponse response =
                    new DefaultFullHttpResponse(
                            HttpVersion.HTTP_1_1, HttpResponseStatus.OK, content);
            response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, content.readableBytes());
            context.writeAndFlush(response);
        }
    }

    private CompletableFuture<Void> httpClient(Channel server, long seed)
            throws InterruptedException {
        CompletableFuture<Void> end = new CompletableFuture<>();
        connect(
                server,
                pipeline ->
                        pipeline.addLast(new HttpClientCodec())
                                .addLast(new HttpObjectAggregator(2 * MAX_BODY_BYTES))
                                .addLast(new HttpClient(seed, end)));
        return end;
    }

    private final class HttpClient extends SimpleChannelInboundHandler<FullHttpResponse> {

        private final SplittableRandom random;
        private final CompletableFuture<Void> end;
        private int sent;
        private int bytes;
        private byte expected;

        HttpClient(long seed, CompletableFuture<Void> end) {
            this.random = new SplittableRandom(seed);
            this.end = end;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            send(context);
        }

        private void send(ChannelHandlerContext context) {
            if (sent++ == REQUESTS_PER_ROUND) {
                context.close().addListener(_ -> end.complete(null));
                return;
            }
            bytes = random.nextInt(MAX_BODY_BYTES);
            expected = (byte) random.nextInt();
            ByteBuf content = body(context, bytes, expected);
            FullHttpRequest request =
                    new DefaultFullHttpRequest(
                            HttpVersion.HTTP_1_1, HttpMethod.POST, "/echo", content);
            request.headers()
                    .set(HttpHeaderNames.HOST, "localhost")
                    .setInt(HttpHeaderNames.CONTENT_LENGTH, content.readableBytes());
            context.writeAndFlush(request);
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            assertThat(response.status()).isEqualTo(HttpResponseStatus.OK);
            requireOurs(context, response.content());
            assertThat(response.content().readableBytes()).isEqualTo(bytes);
            assertThat(response.content().forEachByte(value -> value == expected)).isEqualTo(-1);
            send(context);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            end.completeExceptionally(cause);
            context.close();
        }
    }
}
