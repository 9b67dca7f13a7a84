package dev.kernelalloc.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.nvme.PrpLists.PrpList;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/** Compares structs with the tables of the specification, revision 1.4. */
class LayoutTest {

    @Test
    @DisplayName("the registers stand where figure 68 has them")
    void controllerRegisters_offsets_areThoseOfTheSpecification() {
        assertOffsets(
                ControllerRegisters.TYPE,
                0x1000,
                Map.of(
                        "capabilities", 0x00L,
                        "version", 0x08L,
                        "interruptMaskSet", 0x0cL,
                        "configuration", 0x14L,
                        "status", 0x1cL,
                        "adminQueueAttributes", 0x24L,
                        "adminSubmissionQueue", 0x28L,
                        "adminCompletionQueue", 0x30L));
    }

    @Test
    @DisplayName("a command is laid out as in section 4.2")
    void submissionEntry_offsets_areThoseOfTheSpecification() {
        assertOffsets(
                SubmissionEntry.TYPE,
                64,
                Map.of(
                        "opcode", 0L,
                        "flags", 1L,
                        "commandId", 2L,
                        "namespaceId", 4L,
                        "metadata", 16L,
                        "prp1", 24L,
                        "prp2", 32L,
                        "dword10", 40L,
                        "dword12", 48L,
                        "dword15", 60L));
    }

    @Test
    @DisplayName("a completion is laid out as in section 4.6")
    void completionEntry_offsets_areThoseOfTheSpecification() {
        assertOffsets(
                CompletionEntry.TYPE,
                16,
                Map.of("dword0", 0L, "submissionHead", 8L, "submissionQueue", 10L, "dword3", 12L));
    }

    @Test
    @DisplayName("the fields of dword 3 are those of section 4.6")
    void completionEntry_dword3_isTakenApart() {
        int dword3 = 0x0080 << 17 | 1 << 16 | 0xfedc;
        assertThat(CompletionEntry.commandId(dword3)).isEqualTo(0xfedc);
        assertThat(CompletionEntry.phase(dword3)).isEqualTo(1);
        assertThat(CompletionEntry.status(dword3)).isEqualTo(0x80);
    }

    @Test
    @DisplayName("what a controller and a namespace say of themselves is laid out as in 5.15.2")
    void identifyStructures_offsets_areThoseOfTheSpecification() {
        assertOffsets(
                IdentifyController.TYPE,
                4096,
                Map.of(
                        "modelNumber", 24L,
                        "maxDataTransferSize", 77L,
                        "submissionEntrySize", 512L,
                        "completionEntrySize", 513L));
        assertOffsets(
                IdentifyNamespace.TYPE,
                4096,
                Map.of("size", 0L, "formattedSize", 26L, "formats", 128L));
        assertThat(PrpList.TYPE.byteSize()).isEqualTo(4096);
        assertThat(PrpList.TYPE.byteAlignment()).isEqualTo(4096);
    }

    @Test
    @DisplayName("the format in use is the one that bits 3 to 0 of FLBAS name")
    void identifyNamespace_format_isTheOneInUse() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(IdentifyNamespace.TYPE.layout());
            page.set(ValueLayout.JAVA_BYTE, 26, (byte) 0x13);
            page.set(ValueLayout.JAVA_INT, 128 + 3 * 4, 12 << 16 | 64);
            IdentifyNamespace.BlockFormat format = IdentifyNamespace.TYPE.get(page).format();
            assertThat(format.dataBytesLog2()).isEqualTo(12);
            assertThat(format.metadataBytes()).isEqualTo(64);
        }
    }

    @Test
    @DisplayName("the fields of CAP are those of section 3.1.1")
    void controllerRegisters_capabilities_areTakenApart() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bar = arena.allocate(ControllerRegisters.TYPE.layout());
            ControllerRegisters registers = ControllerRegisters.TYPE.get(bar);
            bar.set(ValueLayout.JAVA_LONG, 0, 1L << 48 | 1L << 37 | 3L << 32 | 15L << 24 | 0x7ff);
            assertThat(registers.maxQueueEntries()).isEqualTo(2048);
            assertThat(registers.readyTimeoutMillis()).isEqualTo(7500);
            assertThat(registers.doorbellStride()).isEqualTo(32);
            assertThat(registers.hasNvmCommandSet()).isTrue();
            assertThat(registers.minPageBytes()).isEqualTo(8192);
        }
    }

    @Test
    @DisplayName("doorbells stand where 3.1.25 and 3.1.26 have them")
    void doorbells_offsets_followTheStride() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bar = arena.allocate(0x2000, 8);
            Doorbell.ofSubmissions(bar, 0, 4).value(1);
            Doorbell.ofCompletions(bar, 0, 4).value(2);
            Doorbell.ofSubmissions(bar, 3, 16).value(3);
            Doorbell.ofCompletions(bar, 3, 16).value(4);
            assertThat(bar.get(ValueLayout.JAVA_INT, 0x1000)).isEqualTo(1);
            assertThat(bar.get(ValueLayout.JAVA_INT, 0x1004)).isEqualTo(2);
            assertThat(bar.get(ValueLayout.JAVA_INT, 0x1000 + 6 * 16)).isEqualTo(3);
            assertThat(bar.get(ValueLayout.JAVA_INT, 0x1000 + 7 * 16)).isEqualTo(4);
        }
    }

    private static void assertOffsets(StructType<?> type, long bytes, Map<String, Long> offsets) {
        assertThat(type.byteSize()).isEqualTo(bytes);
        offsets.forEach(
                (member, offset) ->
                        assertThat(type.layout().byteOffset(PathElement.groupElement(member)))
                                .as(member)
                                .isEqualTo(offset));
    }
}
