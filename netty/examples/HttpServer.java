import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.netty.KernelByteBufAllocator;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * An HTTP/1.1 server on the loopback interface whose buffers are blocks of a limited pool; each
 * answer is the state of the pool. It runs until its input ends; with --once it asks itself once.
 */
class HttpServer {

    private static final int MAX_BODY_BYTES = 1 << 20;

    public static void main(String[] args) throws Exception {
        try (PoolAllocator memory = PoolAllocator.builder().tag("http").limit(256 << 20).build()) {
            KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);
            EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
            try {
                Channel server = start(loops, allocator);
                int port = ((InetSocketAddress) server.localAddress()).getPort();
                System.out.println("http://localhost:" + port);
                if (args.length > 0 && args[0].equals("--once")) {
                    ask(port);
                } else {
                    while (System.in.read() >= 0) {}
                }
                server.close().sync();
            } finally {
                loops.shutdownGracefully().sync();
            }
            System.out.println(memory.stats().liveBlocks() + " live blocks");
        }
    }

    private static Channel start(EventLoopGroup loops, KernelByteBufAllocator allocator)
            throws InterruptedException {
        return new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, allocator)
                .childOption(ChannelOption.ALLOCATOR, allocator)
                .childHandler(
                        new ChannelInitializer<SocketChannel>() {
                            @Override
                            protected void initChannel(SocketChannel channel) {
                                channel.pipeline()
                                        .addLast(new HttpServerCodec())
                                        .addLast(new HttpObjectAggregator(MAX_BODY_BYTES))
                                        .addLast(new StateHandler(allocator));
                            }
                        })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    private static class StateHandler extends SimpleChannelInboundHandler<FullHttpRequest> {

        private final KernelByteBufAllocator allocator;

        StateHandler(KernelByteBufAllocator allocator) {
            this.allocator = allocator;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            ByteBuf body = context.alloc().buffer();
            String state = allocator.memory().stats().toString();
            body.writeCharSequence(state + "\n", StandardCharsets.UTF_8);
            DefaultFullHttpResponse response =
                    new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, body);
            response.headers()
                    .set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.TEXT_PLAIN)
                    .setInt(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
            HttpUtil.setKeepAlive(response, HttpUtil.isKeepAlive(request));
            context.writeAndFlush(response)
                    .addListener(
                            _ -> {
                                if (!HttpUtil.isKeepAlive(request)) {
                                    context.close();
                                }
                            });
        }
    }

    private static void ask(int port) throws Exception {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            String request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            socket.getInputStream().transferTo(System.out);
        }
    }
}
