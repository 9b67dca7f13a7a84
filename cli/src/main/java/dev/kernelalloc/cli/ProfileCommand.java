package dev.kernelalloc.cli;

import dev.kernelalloc.observe.AllocatorMXBean;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;

@Command(
        name = "profile",
        description = {
            "Writes who holds native memory in a running JVM, by allocation site, weighted by"
                    + " bytes.",
            "Prints collapsed stacks for flame graphs; --pprof writes a file for go tool pprof."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        sortOptions = false,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:written",
            "1:the process cannot be reached, or has no registered allocator",
            "2:wrong usage"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kernel-alloc profile 4711 | flamegraph.pl > live.svg",
            "  kernel-alloc profile 4711 --allocator cache --pprof live.pb.gz"
        })
final class ProfileCommand implements Callable<Integer> {

    @Parameters(paramLabel = "PID", description = "The process id of the JVM.")
    private Pid pid;

    @Option(
            names = "--allocator",
            paramLabel = "TAG",
            description = "Only this allocator; several times for several (default: all).")
    private List<String> only = List.of();

    @Option(
            names = "--pprof",
            paramLabel = "FILE",
            description = "Writes a profile for pprof, of one allocator.")
    private @Nullable Path pprof;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        try (RunningJvm jvm = RunningJvm.attach(pid.text())) {
            Map<String, AllocatorMXBean> allocators = jvm.allocators(only);
            if (pprof == null) {
                print(jvm, allocators);
            } else if (allocators.size() == 1) {
                write(pprof, jvm, allocators.values().iterator().next());
            } else {
                throw new ParameterException(
                        spec.commandLine(),
                        "--pprof needs one allocator, choose by --allocator: "
                                + allocators.keySet());
            }
            return Tool.DONE;
        } catch (IOException e) {
            spec.commandLine().getErr().println("kernel-alloc: " + e.getMessage());
            return Tool.NOT_HAD;
        }
    }

    private static void write(Path file, RunningJvm jvm, AllocatorMXBean allocator)
            throws IOException {
        Optional<byte[]> profile = jvm.read(allocator, AllocatorMXBean::liveProfile);
        if (profile.isEmpty()) {
            throw new IOException("the allocator is no longer registered");
        }
        try {
            Files.write(file, profile.get());
        } catch (IOException e) {
            throw new IOException("cannot write the profile: file=" + file + " cause=" + e, e);
        }
    }

    private void print(RunningJvm jvm, Map<String, AllocatorMXBean> allocators) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        for (Map.Entry<String, AllocatorMXBean> one : allocators.entrySet()) {
            jvm.read(one.getValue(), AllocatorMXBean::liveStacks).stream()
                    .flatMap(String::lines)
                    .forEach(line -> out.println(one.getKey() + ";" + line));
        }
        out.flush();
    }
}
