package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A C compiler reads this system's headers: they decide what every constant is. */
@EnabledOnOs(OS.LINUX)
class LinuxHeadersTest {

    private static final String UNKNOWN = "unknown";

    @TempDir private Path directory;

    @Test
    void everyConstantIsTheHeaders() throws Exception {
        Map<String, String> ours =
                constants(
                        Posix.class, Linux.class, MemfdSecret.class, LinuxCalls.class, Proc.class);
        ours.putAll(
                constants(MemoryPolicy.class).entrySet().stream()
                        .collect(
                                Collectors.toMap(
                                        entry -> systemCall(entry.getKey()), Map.Entry::getValue)));
        ours.keySet().removeAll(Set.of("MPOL_PREFERRED", "MPOL_BIND")); // no macros
        ours.put("SYS_io_uring_setup", String.valueOf(IoUring.SYS_IO_URING_SETUP));
        ours.put("SYS_io_uring_register", String.valueOf(IoUring.SYS_IO_URING_REGISTER));
        ours.put("SYS_socket", String.valueOf(XdpPins.SYS_SOCKET));
        ours.put("SYS_setsockopt", String.valueOf(XdpPins.SYS_SETSOCKOPT));
        ours.put("AF_XDP", String.valueOf(XdpPins.AF_XDP));
        ours.put("SOL_XDP", String.valueOf(XdpPins.SOL_XDP));
        ours.put("XDP_UMEM_REG", String.valueOf(XdpPins.XDP_UMEM_REG));
        ours.put("PAGEMAP_SCAN", String.valueOf(PageScan.PAGEMAP_SCAN));
        ours.put("PAGE_IS_PRESENT", String.valueOf(PageScan.PAGE_IS_PRESENT));
        ours.put("PAGE_IS_HUGE", String.valueOf(PageScan.PAGE_IS_HUGE));
        Map<String, String> theirs =
                headers(ours.keySet().stream().map(LinuxHeadersTest::printMacro));

        assertThat(ours)
                .containsKeys(
                        "PROT_READ", "MAP_ANONYMOUS", "MADV_POPULATE_WRITE", "O_CLOEXEC", "ENOMEM");
        theirs.forEach(
                (name, value) -> {
                    if (value.equals(UNKNOWN)) {
                        System.out.println(
                                "not checked, these headers are too old for it: " + name);
                        ours.remove(name);
                    }
                });
        theirs.values().removeIf(UNKNOWN::equals);
        assertThat(ours).isEqualTo(theirs);
    }

    @Test
    void everyErrorHasItsName() throws Exception {
        Map<String, String> ours = new TreeMap<>();
        Linux.ERRORS.forEach((number, name) -> ours.put(name, number.toString()));

        assertThat(headers(ours.keySet().stream().map(LinuxHeadersTest::printMacro)))
                .isEqualTo(ours);
    }

    @Test
    void theTypesInDescriptorsHaveTheirSizes() throws Exception {
        Stream<String> types =
                Stream.of("int", "size_t", "ssize_t", "off_t", "void *")
                        .map(LinuxHeadersTest::printSize);

        String wide = String.valueOf(ValueLayout.JAVA_LONG.byteSize());
        assertThat(headers(types))
                .isEqualTo(
                        Map.of(
                                "int", "4", "size_t", wide, "ssize_t", wide, "off_t", wide,
                                "void *", wide));
    }

    /** {@code SYS_MBIND} is {@code SYS_mbind} in C. */
    private static String systemCall(String name) {
        return name.startsWith("SYS_") ? "SYS_" + name.substring(4).toLowerCase() : name;
    }

    @Test
    void everyEnumeratorIsTheHeaders() throws Exception {
        Map<String, String> ours =
                Map.of(
                        "SOCK_RAW",
                        String.valueOf(XdpPins.SOCK_RAW),
                        "SOCK_CLOEXEC",
                        String.valueOf(XdpPins.SOCK_CLOEXEC),
                        "MPOL_PREFERRED",
                        String.valueOf(MemoryPolicy.MPOL_PREFERRED),
                        "MPOL_BIND",
                        String.valueOf(MemoryPolicy.MPOL_BIND),
                        "IORING_REGISTER_BUFFERS2",
                        String.valueOf(IoUring.IORING_REGISTER_BUFFERS2),
                        "IORING_REGISTER_BUFFERS_UPDATE",
                        String.valueOf(IoUring.IORING_REGISTER_BUFFERS_UPDATE),
                        "IORING_RSRC_REGISTER_SPARSE",
                        String.valueOf(IoUring.IORING_RSRC_REGISTER_SPARSE));
        assertThat(headers(ours.keySet().stream().map(LinuxHeadersTest::printNumber)))
                .isEqualTo(ours);
    }

    @Test
    void theStructsOfTheKernelHaveTheirSizesAndMembers() throws Exception {
        Map<String, Long> ours = new TreeMap<>();
        ours.put("sizeof(struct io_uring_params)", IoUring.IO_URING_PARAMS_BYTES);
        ours.put("sizeof(struct iovec)", PinRing.IOVEC_BYTES);
        ours.put("sizeof(struct io_uring_rsrc_register)", PinRing.IO_URING_RSRC_REGISTER_BYTES);
        ours.put("offsetof(struct io_uring_rsrc_register, nr)", PinRing.REGISTER_NR);
        ours.put("offsetof(struct io_uring_rsrc_register, flags)", PinRing.REGISTER_FLAGS);
        ours.put("sizeof(struct io_uring_rsrc_update2)", PinRing.IO_URING_RSRC_UPDATE2_BYTES);
        ours.put("offsetof(struct io_uring_rsrc_update2, offset)", PinRing.UPDATE_OFFSET);
        ours.put("offsetof(struct io_uring_rsrc_update2, data)", PinRing.UPDATE_DATA);
        ours.put("offsetof(struct io_uring_rsrc_update2, nr)", PinRing.UPDATE_NR);
        ours.put("sizeof(struct statx)", FileIdentity.STATX_BYTES);
        ours.put("offsetof(struct statx, stx_ino)", FileIdentity.STX_INO);
        ours.put("offsetof(struct statx, stx_dev_major)", FileIdentity.STX_DEV_MAJOR);
        ours.put("offsetof(struct statx, stx_dev_minor)", FileIdentity.STX_DEV_MINOR);
        ours.put("(long) SYS_statx", (long) FileIdentity.SYS_STATX);
        ours.put("(long) STATX_INO", (long) FileIdentity.STATX_INO);
        ours.put("(long) AT_EMPTY_PATH", (long) FileIdentity.AT_EMPTY_PATH);
        assertThat(numbers(ours)).isEqualTo(ours);

        Map<String, Long> scan = new TreeMap<>();
        scan.put("sizeof(struct pm_scan_arg)", PageScan.PM_SCAN_ARG_BYTES);
        scan.put("sizeof(struct page_region)", PageScan.PAGE_REGION_BYTES);
        scan.put("offsetof(struct pm_scan_arg, size)", PageScan.SIZE);
        scan.put("offsetof(struct pm_scan_arg, start)", PageScan.START);
        scan.put("offsetof(struct pm_scan_arg, end)", PageScan.END);
        scan.put("offsetof(struct pm_scan_arg, walk_end)", PageScan.WALK_END);
        scan.put("offsetof(struct pm_scan_arg, vec)", PageScan.VEC);
        scan.put("offsetof(struct pm_scan_arg, vec_len)", PageScan.VEC_LEN);
        scan.put("offsetof(struct pm_scan_arg, category_mask)", PageScan.CATEGORY_MASK);
        scan.put("offsetof(struct pm_scan_arg, return_mask)", PageScan.RETURN_MASK);
        checkSince(6, 7, scan);

        Map<String, Long> memory = new TreeMap<>();
        memory.put("sizeof(struct xdp_umem_reg)", XdpPins.XDP_UMEM_REG_BYTES);
        memory.put("offsetof(struct xdp_umem_reg, addr)", XdpPins.REG_ADDR);
        memory.put("offsetof(struct xdp_umem_reg, len)", XdpPins.REG_LEN);
        memory.put("offsetof(struct xdp_umem_reg, chunk_size)", XdpPins.REG_CHUNK_SIZE);
        checkSince(5, 4, memory);

        Map<String, Long> region = new TreeMap<>();
        region.put("sizeof(struct io_uring_region_desc)", KernelRegion.IO_URING_REGION_DESC_BYTES);
        region.put("offsetof(struct io_uring_region_desc, size)", KernelRegion.DESC_SIZE);
        region.put(
                "offsetof(struct io_uring_region_desc, mmap_offset)",
                KernelRegion.DESC_MMAP_OFFSET);
        region.put(
                "sizeof(struct io_uring_mem_region_reg)",
                KernelRegion.IO_URING_MEM_REGION_REG_BYTES);
        region.put("(long) IORING_REGISTER_MEM_REGION", (long) IoUring.IORING_REGISTER_MEM_REGION);
        checkSince(6, 13, region);
    }

    /** Says so where the headers do not know these structs yet. */
    private void checkSince(int major, int minor, Map<String, Long> ours) throws Exception {
        Map<String, Long> version = Map.of("(long) LINUX_VERSION_CODE", 0L);
        long headers = numbers(version).values().iterator().next();
        if (headers < ((long) major << 16 | minor << 8)) {
            System.out.println("not checked, these headers are too old for it: " + ours.keySet());
            return;
        }
        assertThat(numbers(ours)).isEqualTo(ours);
    }

    private Map<String, Long> numbers(Map<String, Long> expressions) throws Exception {
        return headers(expressions.keySet().stream().map(LinuxHeadersTest::printNumber))
                .entrySet()
                .stream()
                .collect(
                        Collectors.toMap(
                                Map.Entry::getKey, entry -> Long.valueOf(entry.getValue())));
    }

    private static String printNumber(String expression) {
        return "    printf(\"%1$s=%%lld\\n\", (long long) %1$s);\n".formatted(expression);
    }

    /** Every {@code int} or {@code long} constant that a class does not keep to itself. */
    private static Map<String, String> constants(Class<?>... types) throws IllegalAccessException {
        Map<String, String> constants = new TreeMap<>();
        for (Class<?> type : types) {
            for (Field field : type.getDeclaredFields()) {
                boolean isNumber = field.getType() == int.class || field.getType() == long.class;
                if (isNumber
                        && Modifier.isStatic(field.getModifiers())
                        && !Modifier.isPrivate(field.getModifiers())) {
                    constants.put(field.getName(), field.get(null).toString());
                }
            }
        }
        return constants;
    }

    private static String printMacro(String name) {
        return """
        #ifdef %1$s
            printf("%1$s=%%lld\\n", (long long) %1$s);
        #else
            printf("%1$s=%2$s\\n");
        #endif
        """
                .formatted(name, UNKNOWN);
    }

    private static String printSize(String type) {
        return "    printf(\"%1$s=%%zu\\n\", sizeof(%1$s));\n".formatted(type);
    }

    /** What a program of these statements prints. */
    private Map<String, String> headers(Stream<String> statements) throws Exception {
        Optional<Path> compiler = compiler();
        assumeTrue(compiler.isPresent(), "no C compiler (cc, gcc or clang) on PATH");
        Path source = directory.resolve("headers.c");
        Path program = directory.resolve("headers");
        Files.writeString(
                source,
                """
                #define _GNU_SOURCE
                #include <errno.h>
                #include <fcntl.h>
                #include <stdio.h>
                #include <stddef.h>
                #include <sys/mman.h>
                #include <sys/resource.h>
                #include <sys/socket.h>
                #include <sys/syscall.h>
                #include <sys/types.h>
                #include <sys/uio.h>
                #include <linux/capability.h>
                #include <linux/fs.h>
                #include <linux/if_xdp.h>
                #include <linux/io_uring.h>
                #include <linux/mempolicy.h>
                #include <linux/mman.h>
                #include <linux/prctl.h>
                #include <linux/stat.h>
                #include <linux/version.h>
                int main(void) {
                %s
                    return 0;
                }
                """
                        .formatted(statements.collect(Collectors.joining())));
        run(List.of(compiler.get().toString(), "-o", program.toString(), source.toString()));
        return run(List.of(program.toString()))
                .lines()
                .map(line -> line.split("="))
                .collect(
                        Collectors.toMap(
                                parts -> parts[0], parts -> parts[1], (a, b) -> a, TreeMap::new));
    }

    private static String run(List<String> command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }

    private static Optional<Path> compiler() {
        return Stream.of("cc", "gcc", "clang")
                .flatMap(
                        name ->
                                Stream.of(System.getenv("PATH").split(":"))
                                        .map(directory -> Path.of(directory, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }
}
