package dev.kernelalloc.cli;

import com.sun.tools.attach.AttachNotSupportedException;
import com.sun.tools.attach.VirtualMachine;

import dev.kernelalloc.observe.AllocatorMXBean;

import java.io.IOException;
import java.lang.reflect.UndeclaredThrowableException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

import javax.management.InstanceNotFoundException;
import javax.management.JMX;
import javax.management.MBeanServerConnection;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** The allocators of another JVM on this host, through its management beans. */
final class RunningJvm implements AutoCloseable {

    private static final String PATTERN = "dev.kernelalloc:type=Allocator,name=*";

    private final String pid;
    private final JMXConnector connector;
    private final MBeanServerConnection server;

    private RunningJvm(String pid, JMXConnector connector) throws IOException {
        this.pid = pid;
        this.connector = connector;
        this.server = connector.getMBeanServerConnection();
    }

    /**
     * Attaches to a JVM, and has it start its local management agent.
     *
     * @throws IOException if there is no such JVM, or it refuses
     */
    static RunningJvm attach(String pid) throws IOException {
        try {
            String address;
            VirtualMachine machine = VirtualMachine.attach(pid);
            try {
                address = machine.startLocalManagementAgent();
            } finally {
                machine.detach();
            }
            return new RunningJvm(pid, JMXConnectorFactory.connect(new JMXServiceURL(address)));
        } catch (AttachNotSupportedException | IOException e) {
            throw new IOException(
                    "cannot attach to process "
                            + pid
                            + ": "
                            + e.getMessage()
                            + "; it must be a JVM of this user",
                    e);
        }
    }

    /** Returns its registered allocators by their names. */
    Map<String, AllocatorMXBean> allocators() throws IOException {
        try {
            Map<String, AllocatorMXBean> found = new TreeMap<>();
            for (ObjectName name : server.queryNames(new ObjectName(PATTERN), null)) {
                String key = name.getKeyProperty("name");
                found.put(key.startsWith("\"") ? ObjectName.unquote(key) : key, allocator(name));
            }
            return found;
        } catch (MalformedObjectNameException e) {
            throw new AssertionError(PATTERN, e);
        } catch (IOException e) {
            throw ended(e);
        }
    }

    /** Returns an allocator by the name of its bean, whether it is registered or not. */
    AllocatorMXBean allocator(ObjectName name) {
        return JMX.newMXBeanProxy(server, name, AllocatorMXBean.class);
    }

    private IOException ended(IOException e) {
        return new IOException("process " + pid + " has ended, or no longer answers", e);
    }

    /**
     * Reads from an allocator.
     *
     * @return what was read; empty if the allocator is no longer registered
     * @throws IOException if the process has ended
     */
    <T> Optional<T> read(AllocatorMXBean allocator, Function<AllocatorMXBean, T> what)
            throws IOException {
        try {
            return Optional.of(what.apply(allocator));
        } catch (UndeclaredThrowableException e) {
            switch (e.getCause()) {
                case InstanceNotFoundException _ -> {
                    return Optional.empty();
                }
                case IOException lost -> throw ended(lost);
                case null, default -> throw e;
            }
        }
    }

    /**
     * Returns its registered allocators, or one of them.
     *
     * @param only the name of the one; empty for all
     * @throws IOException if there are none
     */
    Map<String, AllocatorMXBean> allocators(List<String> only) throws IOException {
        Map<String, AllocatorMXBean> found = allocators();
        if (!only.isEmpty()) {
            found.keySet().retainAll(only);
        }
        if (found.isEmpty()) {
            throw new IOException(
                    "the process has no such registered allocator: it registers one by"
                            + " AllocatorBean.register(allocator)");
        }
        return found;
    }

    @Override
    public void close() {
        try {
            connector.close();
        } catch (IOException e) {
            // The process has ended, and the connection with it.
        }
    }
}
