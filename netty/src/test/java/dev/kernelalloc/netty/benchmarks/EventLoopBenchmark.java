package dev.kernelalloc.netty.benchmarks;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
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

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.TimeUnit;

/**
 * Requests that a client has in flight on one connection; an event loop reads them, allocates an
 * answer for each, writes and flushes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class EventLoopBenchmark {

    private static final int IN_FLIGHT = 16;
    private static final int REQUEST_BYTES = 64;
    private static final int ANSWER_BYTES = 256;

    @Param Peer peer;

    private EventLoopGroup loops;
    private Socket socket;
    private DataInputStream answers;
    private final byte[] requests = new byte[IN_FLIGHT * REQUEST_BYTES];
    private final byte[] answered = new byte[IN_FLIGHT * ANSWER_BYTES];

    @Setup
    public void connect() throws InterruptedException, IOException {
        ByteBufAllocator allocator = peer.create();
        loops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
        Channel server =
                new ServerBootstrap()
                        .group(loops)
                        .channel(NioServerSocketChannel.class)
                        .childOption(ChannelOption.ALLOCATOR, allocator)
                        .childHandler(
                                new ChannelInitializer<SocketChannel>() {
                                    @Override
                                    protected void initChannel(SocketChannel channel) {
                                        channel.pipeline().addLast(new Answering());
                                    }
                                })
                        .bind(InetAddress.getLoopbackAddress(), 0)
                        .sync()
                        .channel();
        int port = ((InetSocketAddress) server.localAddress()).getPort();
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setTcpNoDelay(true);
        answers = new DataInputStream(socket.getInputStream());
    }

    private static final class Answering extends SimpleChannelInboundHandler<ByteBuf> {

        private int readBytes;

        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf read) {
            readBytes += read.readableBytes();
            for (; readBytes >= REQUEST_BYTES; readBytes -= REQUEST_BYTES) {
                ByteBuf header = context.alloc().directBuffer(64).writeZero(56).writeLong(42);
                ByteBuf body = context.alloc().directBuffer(ANSWER_BYTES - 64);
                context.write(header);
                context.write(body.writeZero(ANSWER_BYTES - 64));
            }
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }
    }

    @Benchmark
    public byte request() throws IOException {
        socket.getOutputStream().write(requests);
        answers.readFully(answered);
        return answered[0];
    }

    @TearDown
    public void close() throws IOException, InterruptedException {
        socket.close();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }
}
