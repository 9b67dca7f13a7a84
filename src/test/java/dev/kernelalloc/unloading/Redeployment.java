package dev.kernelalloc.unloading;

import jdk.jfr.Recording;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Runs {@link Application} in a class loader of its own, again and again, and prints how many of
 * the loaders stay and how much address space is left behind.
 */
final class Redeployment {

    private static final int ROUNDS = 5;
    private static final int MOST_COLLECTIONS = 300;

    private Redeployment() {}

    /** Takes {@code inside} or {@code parent}: where the library is. */
    public static void main(String[] arguments) throws Exception {
        boolean inside = arguments[0].equals("inside");
        try (Recording recording = new Recording()) {
            // Here, as a thread of the recorder keeps the context loader of whoever starts it.
            recording.enable("dev.kernelalloc.Allocation");
            recording.enable("dev.kernelalloc.Refill");
            recording.start();
            deploy(inside); // the JVM's own first uses
            long before = virtualBytes();
            List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
            for (int i = 0; i < ROUNDS; i++) {
                loaders.add(deploy(inside));
            }
            collectUntil(() -> kept(loaders) == 0 && !isLibraryRunning(inside));
            IO.println("loaders kept: " + kept(loaders));
            IO.println("library threads: " + (isLibraryRunning(inside) ? "some" : "none"));
            collectUntil(() -> rangesSince(before) == 0);
            IO.println("ranges left: " + rangesSince(before));
        }
    }

    /** Returns the loader of an application that has ended. */
    private static WeakReference<ClassLoader> deploy(boolean inside) throws Exception {
        try (URLClassLoader loader = inside ? withLibrary() : withoutLibrary()) {
            Runnable application =
                    loader.loadClass(Application.class.getName())
                            .asSubclass(Runnable.class)
                            .getDeclaredConstructor()
                            .newInstance();
            Throwable[] failure = new Throwable[1];
            Thread thread = new Thread(application);
            thread.setContextClassLoader(loader);
            thread.setUncaughtExceptionHandler((_, e) -> failure[0] = e);
            thread.start();
            thread.join();
            if (failure[0] != null) {
                throw new IllegalStateException(failure[0].toString(), failure[0]);
            }
            return new WeakReference<>(loader);
        }
    }

    private static URLClassLoader withLibrary() {
        return new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader());
    }

    private static URLClassLoader withoutLibrary() {
        return new URLClassLoader(classPath(), Redeployment.class.getClassLoader()) {
            @Override
            protected Class<?> loadClass(String name, boolean resolve)
                    throws ClassNotFoundException {
                if (!name.startsWith(Application.class.getName())) {
                    return super.loadClass(name, resolve);
                }
                synchronized (getClassLoadingLock(name)) {
                    Class<?> known = findLoadedClass(name);
                    return known != null ? known : findClass(name);
                }
            }
        };
    }

    private static URL[] classPath() {
        return List.of(System.getProperty("java.class.path").split(File.pathSeparator)).stream()
                .map(Redeployment::url)
                .toArray(URL[]::new);
    }

    private static URL url(String path) {
        try {
            return Path.of(path).toUri().toURL();
        } catch (MalformedURLException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void collectUntil(BooleanSupplier holds) throws InterruptedException {
        for (int i = 0; i < MOST_COLLECTIONS && !holds.getAsBoolean(); i++) {
            System.gc();
            Thread.sleep(50); // the library's threads end, and cleaners run, in their own time
        }
    }

    private static long kept(List<WeakReference<ClassLoader>> loaders) {
        return loaders.stream().filter(loader -> loader.get() != null).count();
    }

    /** Threads of a library that stays belong there. */
    private static boolean isLibraryRunning(boolean inside) {
        return inside
                && Thread.getAllStackTraces().keySet().stream()
                        .anyMatch(thread -> thread.getName().startsWith("kernel-alloc"));
    }

    /** Of 64 MiB each: nothing else in this process maps so much. */
    private static long rangesSince(long before) {
        return Math.max(0, virtualBytes() - before) >> 26;
    }

    private static long virtualBytes() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmSize:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
