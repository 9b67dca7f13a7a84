package dev.kernelalloc.cli;

import dev.kernelalloc.cli.ctypes.Btf;
import dev.kernelalloc.cli.ctypes.CType;
import dev.kernelalloc.cli.ctypes.Compiled;
import dev.kernelalloc.cli.ctypes.DebugTypes;
import dev.kernelalloc.cli.ctypes.Declaration;
import dev.kernelalloc.cli.ctypes.DeclarationWriter;
import dev.kernelalloc.cli.ctypes.Dwarf;
import dev.kernelalloc.cli.ctypes.LayoutCheck;
import dev.kernelalloc.cli.ctypes.Unsupported;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;

@Command(
        name = "struct",
        description = {
            "Writes the Java declaration of a C struct, from debug information: by default that of"
                    + " the running kernel.",
            "The declaration is compiled, and its offsets are compared, before it is printed."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        sortOptions = false,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:printed, or the checked declaration has every member where C has it",
            "1:there is no such struct, it cannot be declared, or a checked declaration differs",
            "2:wrong usage"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kernel-alloc struct io_uring_sqe > IoUringSqe.java",
            "  kernel-alloc struct --header sys/stat.h stat",
            "  kernel-alloc struct --dwarf libexample.so example_options",
            "  kernel-alloc struct --check org.example.Sqe --class-path target/classes io_uring_sqe"
        })
final class StructCommand implements Callable<Integer> {

    @Parameters(paramLabel = "NAME", description = "The name of the struct or union in C.")
    private String name;

    @ArgGroup private @Nullable Source source;

    /** One of these. */
    private static final class Source {

        @Option(
                names = "--btf",
                paramLabel = "FILE",
                description = "A file of BTF, or an ELF file with a .BTF section.")
        private @Nullable Path file;

        @Option(
                names = "--dwarf",
                paramLabel = "FILE",
                description = "An object file, library or program that cc -g compiled.")
        private @Nullable Path compiled;

        @Option(
                names = "--header",
                paramLabel = "HEADER",
                description = "A C header, which cc -g compiles: sys/stat.h, or a path.")
        private @Nullable String header;
    }

    @Option(
            names = "--package",
            paramLabel = "PACKAGE",
            defaultValue = "",
            description = "The package of the declaration.")
    private String packageName;

    @Option(
            names = "--check",
            paramLabel = "CLASS",
            description = "Compares this record or interface with the struct instead.")
    private @Nullable String checked;

    @Option(
            names = "--class-path",
            paramLabel = "PATH",
            defaultValue = ".",
            description = "Where the class is (default: ${DEFAULT-VALUE}).")
    private String classPath;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        try {
            CType.Compound struct =
                    types().find(name)
                            .orElseThrow(() -> new IOException("there is no struct " + name));
            Declaration declaration = DeclarationWriter.write(struct);
            return checked == null ? print(declaration) : compare(declaration, checked);
        } catch (Unsupported e) {
            err.println("kernel-alloc: " + name + " cannot be declared: " + e.getMessage());
        } catch (IOException | IllegalArgumentException e) {
            err.println("kernel-alloc: " + e.getMessage());
        }
        return Tool.NOT_HAD;
    }

    private DebugTypes types() throws IOException, InterruptedException {
        if (source != null && source.header != null) {
            return ofHeader(source.header);
        }
        if (source != null && source.compiled != null) {
            return Dwarf.read(readable(source.compiled));
        }
        return Btf.read(readable(source != null && source.file != null ? source.file : Btf.KERNEL));
    }

    private static Path readable(Path file) throws IOException {
        if (!Files.isReadable(file)) {
            throw new IOException(
                    file
                            + " cannot be read: name a file by --btf or --dwarf, or a header by"
                            + " --header");
        }
        return file;
    }

    private static DebugTypes ofHeader(String header) throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("kernel-alloc-struct");
        Path input = directory.resolve("header.c");
        Path output = directory.resolve("header.o");
        Path messages = directory.resolve("messages");
        try {
            boolean isPath = Files.exists(Path.of(header));
            String included =
                    isPath ? "\"" + Path.of(header).toAbsolutePath() + "\"" : "<" + header + ">";
            Files.writeString(input, "#include " + included + "\n");
            int status =
                    new ProcessBuilder(
                                    "cc",
                                    "-g",
                                    "-fno-eliminate-unused-debug-types",
                                    "-c",
                                    input.toString(),
                                    "-o",
                                    output.toString())
                            .redirectErrorStream(true)
                            .redirectOutput(messages.toFile())
                            .start()
                            .waitFor();
            if (status != 0) {
                throw new IOException("cc -g failed: " + Files.readString(messages));
            }
            return Dwarf.read(output);
        } finally {
            for (Path file : List.of(input, output, messages, directory)) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** Prints what was compiled and compared; never anything else, where there is a compiler. */
    private int print(Declaration declaration) throws IOException {
        if (Compiled.isPossible()) {
            try (Compiled compiled = Compiled.compile(List.of(declaration))) {
                List<String> differences =
                        LayoutCheck.differences(compiled.type(declaration), declaration);
                if (!differences.isEmpty()) {
                    throw new IOException(
                            name
                                    + " cannot be declared, the layouts differ:\n  "
                                    + String.join("\n  ", differences));
                }
            }
        } else {
            spec.commandLine()
                    .getErr()
                    .println("not checked: this Java has no compiler, use a JDK");
        }
        PrintWriter out = spec.commandLine().getOut();
        if (!packageName.isEmpty()) {
            out.println("package " + packageName + ";\n");
        }
        out.print(declaration.source());
        out.flush();
        return Tool.DONE;
    }

    private int compare(Declaration declaration, String className) throws IOException {
        try (Compiled compiled = Compiled.existing(classPath(), className)) {
            List<String> differences =
                    LayoutCheck.differencesByPlace(compiled.type(className), declaration);
            PrintWriter out = spec.commandLine().getOut();
            differences.forEach(out::println);
            out.println(
                    String.format(
                            Locale.ROOT,
                            "%s: %s",
                            className,
                            differences.isEmpty()
                                    ? "every member is where C has it"
                                    : differences.size() + " differences"));
            out.flush();
            return differences.isEmpty() ? Tool.DONE : Tool.NOT_HAD;
        }
    }

    private List<URL> classPath() throws MalformedURLException {
        List<URL> urls = new ArrayList<>();
        for (String entry : classPath.split(File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return urls;
    }
}
