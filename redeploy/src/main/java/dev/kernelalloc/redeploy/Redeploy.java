package dev.kernelalloc.redeploy;

import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.Wrapper;
import org.apache.catalina.core.JreMemoryLeakPreventionListener;
import org.apache.catalina.startup.Tomcat;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * Deploys {@link Work} in an embedded Tomcat, sends it requests and undeploys it, ten times, and
 * reports what is left behind: class loaders of the application, and address space. Tomcat and its
 * request threads stay.
 */
public final class Redeploy {

    private static final int ROUNDS = 10;
    private static final int REQUESTS = 20;
    private static final int MOST_COLLECTIONS = 600;
    private static final String PATH = "/app";

    private final Tomcat tomcat = new Tomcat();
    private final Path directory;
    private final HttpClient client = HttpClient.newHttpClient();

    private Redeploy(Path directory) {
        this.directory = directory;
    }

    /**
     * Exits with 1 when anything is left behind.
     *
     * @param arguments a directory to work in, and the library's jar where it is to be part of the
     *     application; it is on the class path otherwise
     */
    public static void main(String[] arguments) throws Exception {
        boolean inside = arguments.length > 1;
        Redeploy redeploy = new Redeploy(Path.of(arguments[0]).toAbsolutePath());
        redeploy.install(inside ? Path.of(arguments[1]) : null);
        redeploy.start();
        redeploy.round(); // the first uses of the JVM and of Tomcat
        redeploy.round();
        redeploy.collect();
        long before = virtualBytes();
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        for (int i = 0; i < ROUNDS; i++) {
            loaders.add(redeploy.round());
        }
        collectUntil(() -> kept(loaders) == 0 && mebibytesSince(before) == 0);
        long kept = kept(loaders);
        long mebibytes = mebibytesSince(before);
        System.out.println(
                "library=%s undeployed=%d loadersKept=%d addressSpaceKeptMiB=%d"
                        .formatted(
                                inside ? "inside the application" : "in the parent",
                                ROUNDS,
                                kept,
                                mebibytes));
        redeploy.tomcat.stop();
        System.exit(kept == 0 && mebibytes == 0 ? 0 : 1);
    }

    /** Writes the exploded web application. */
    private void install(Path library) throws IOException {
        for (String type : List.of("Work", "Work$Point", "Work$Session")) {
            Path file = classes().resolve("dev/kernelalloc/redeploy/" + type + ".class");
            Files.createDirectories(file.getParent());
            try (InputStream code = Redeploy.class.getResourceAsStream(type + ".class")) {
                Files.copy(code, file, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        Path libraries = Files.createDirectories(classes().resolveSibling("lib"));
        if (library != null) {
            Files.copy(
                    library,
                    libraries.resolve("kernel-alloc.jar"),
                    StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private Path classes() {
        return directory.resolve("app/WEB-INF/classes");
    }

    private void start() throws LifecycleException {
        tomcat.setBaseDir(directory.resolve("tomcat").toString());
        tomcat.setPort(0);
        tomcat.getServer().addLifecycleListener(new JreMemoryLeakPreventionListener());
        tomcat.getConnector();
        tomcat.start();
    }

    /** Deploys, uses and undeploys; returns the loader of the application. */
    private WeakReference<ClassLoader> round() throws Exception {
        Context application = tomcat.addContext(PATH, classes().getParent().getParent().toString());
        Wrapper servlet = Tomcat.addServlet(application, "work", Work.class.getName());
        servlet.addMapping("/work");
        ClassLoader loader = application.getLoader().getClassLoader();
        if (loader.loadClass(Work.class.getName()) == Work.class) {
            throw new IllegalStateException("the application is not in a loader of its own");
        }
        for (int i = 0; i < REQUESTS; i++) {
            request();
        }
        tomcat.getHost().removeChild(application);
        return new WeakReference<>(loader);
    }

    private void request() throws Exception {
        URI work = URI.create("http://localhost:" + tomcat.getConnector().getLocalPort() + PATH);
        HttpResponse<String> response =
                client.send(
                        HttpRequest.newBuilder(URI.create(work + "/work")).build(),
                        HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200 || !response.body().startsWith("sum=")) {
            throw new IllegalStateException(response + ": " + response.body());
        }
    }

    private void collect() throws InterruptedException {
        for (int i = 0; i < 100; i++) {
            System.gc();
            Thread.sleep(50);
        }
    }

    /** The threads of the library end, and cleaners run, in their own time. */
    private static void collectUntil(BooleanSupplier holds) throws InterruptedException {
        for (int i = 0; i < MOST_COLLECTIONS && !holds.getAsBoolean(); i++) {
            System.gc();
            Thread.sleep(50);
        }
    }

    private static long kept(List<WeakReference<ClassLoader>> loaders) {
        return loaders.stream().filter(loader -> loader.get() != null).count();
    }

    /** In whole ranges of 64 MiB: the JVM and Tomcat map and unmap less all the time. */
    private static long mebibytesSince(long before) {
        return Math.max(0, virtualBytes() - before) >> 26 << 6;
    }

    private static long virtualBytes() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("VmSize:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .sum();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
