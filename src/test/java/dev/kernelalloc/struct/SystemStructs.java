package dev.kernelalloc.struct;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.foreign.MemorySegment;

/**
 * Structs of the headers of Linux and glibc on x86-64, as Java describes them. Members have their C
 * names; one named {@code anon…} stands for an unnamed union.
 */
final class SystemStructs {

    private SystemStructs() {}

    /** Where a struct is declared. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.TYPE)
    @interface Declared {
        /** Its C type. */
        String as();

        String in();
    }

    @Declared(as = "struct timespec", in = "time.h")
    interface Timespec {
        @C(CType.LONG)
        long tv_sec();

        @C(CType.LONG)
        long tv_nsec();
    }

    @Declared(as = "struct timeval", in = "sys/time.h")
    interface Timeval {
        @C(CType.LONG)
        long tv_sec();

        @C(CType.LONG)
        long tv_usec();
    }

    @Declared(as = "struct itimerspec", in = "time.h")
    interface Itimerspec {
        Timespec it_interval();

        Timespec it_value();
    }

    @Declared(as = "struct tm", in = "time.h")
    interface Tm {
        int tm_sec();

        int tm_min();

        int tm_hour();

        int tm_mday();

        int tm_mon();

        int tm_year();

        int tm_wday();

        int tm_yday();

        int tm_isdst();

        @C(CType.LONG)
        long tm_gmtoff();

        MemorySegment tm_zone();
    }

    @Declared(as = "struct stat", in = "sys/stat.h")
    interface Stat {
        @C(CType.UNSIGNED_LONG)
        long st_dev();

        @C(CType.UNSIGNED_LONG)
        long st_ino();

        @C(CType.UNSIGNED_LONG)
        long st_nlink();

        @C(CType.UNSIGNED_INT)
        long st_mode();

        @C(CType.UNSIGNED_INT)
        long st_uid();

        @C(CType.UNSIGNED_INT)
        long st_gid();

        int __pad0();

        @C(CType.UNSIGNED_LONG)
        long st_rdev();

        @C(CType.LONG)
        long st_size();

        @C(CType.LONG)
        long st_blksize();

        @C(CType.LONG)
        long st_blocks();

        Timespec st_atim();

        Timespec st_mtim();

        Timespec st_ctim();

        @Length(3)
        @C(CType.LONG)
        long __glibc_reserved(int index);
    }

    @Declared(as = "struct in_addr", in = "netinet/in.h")
    interface InAddr {
        @Order(Endian.BIG)
        int s_addr();
    }

    @Declared(as = "struct sockaddr_in", in = "netinet/in.h")
    interface SockaddrIn {
        char sin_family();

        @Order(Endian.BIG)
        char sin_port();

        InAddr sin_addr();

        @Length(8)
        byte sin_zero(int index);
    }

    @Declared(as = "struct in6_addr", in = "netinet/in.h")
    @Union
    interface In6Addr {
        @Length(16)
        @C(CType.UNSIGNED_CHAR)
        int s6_addr(int index);

        @Length(8)
        @Order(Endian.BIG)
        char s6_addr16(int index);

        @Length(4)
        @Order(Endian.BIG)
        int s6_addr32(int index);
    }

    @Declared(as = "struct sockaddr_in6", in = "netinet/in.h")
    interface SockaddrIn6 {
        char sin6_family();

        @Order(Endian.BIG)
        char sin6_port();

        @Order(Endian.BIG)
        int sin6_flowinfo();

        In6Addr sin6_addr();

        @C(CType.UNSIGNED_INT)
        long sin6_scope_id();
    }

    @Declared(as = "struct sockaddr_un", in = "sys/un.h")
    interface SockaddrUn {
        char sun_family();

        @Length(108)
        String sun_path();
    }

    @Declared(as = "union epoll_data", in = "sys/epoll.h")
    @Union
    interface EpollData {
        MemorySegment ptr();

        int fd();

        @C(CType.UNSIGNED_INT)
        long u32();

        long u64();
    }

    @Declared(as = "struct epoll_event", in = "sys/epoll.h")
    @Struct(packed = true)
    interface EpollEvent {
        @C(CType.UNSIGNED_INT)
        long events();

        EpollData data();
    }

    @Declared(as = "struct iphdr", in = "netinet/ip.h")
    interface Iphdr {
        @Bits(4)
        int ihl();

        @Bits(4)
        int version();

        @C(CType.UNSIGNED_CHAR)
        int tos();

        @Order(Endian.BIG)
        char tot_len();

        @Order(Endian.BIG)
        char id();

        @Order(Endian.BIG)
        char frag_off();

        @C(CType.UNSIGNED_CHAR)
        int ttl();

        @C(CType.UNSIGNED_CHAR)
        int protocol();

        @Order(Endian.BIG)
        char check();

        @Order(Endian.BIG)
        int saddr();

        @Order(Endian.BIG)
        int daddr();
    }

    @Declared(as = "struct tcphdr", in = "linux/tcp.h")
    interface Tcphdr {
        @Order(Endian.BIG)
        char source();

        @Order(Endian.BIG)
        char dest();

        @Order(Endian.BIG)
        int seq();

        @Order(Endian.BIG)
        int ack_seq();

        @Bits(4)
        char res1();

        @Bits(4)
        char doff();

        @Bits(1)
        char fin();

        @Bits(1)
        char syn();

        @Bits(1)
        char rst();

        @Bits(1)
        char psh();

        @Bits(1)
        char ack();

        @Bits(1)
        char urg();

        @Bits(1)
        char ece();

        @Bits(1)
        char cwr();

        @Order(Endian.BIG)
        char window();

        @Order(Endian.BIG)
        char check();

        @Order(Endian.BIG)
        char urg_ptr();
    }

    @Declared(as = "struct udphdr", in = "linux/udp.h")
    interface Udphdr {
        @Order(Endian.BIG)
        char source();

        @Order(Endian.BIG)
        char dest();

        @Order(Endian.BIG)
        char len();

        @Order(Endian.BIG)
        char check();
    }

    @Declared(as = "struct ethhdr", in = "linux/if_ether.h")
    @Struct(packed = true)
    interface Ethhdr {
        @Length(6)
        @C(CType.UNSIGNED_CHAR)
        int h_dest(int index);

        @Length(6)
        @C(CType.UNSIGNED_CHAR)
        int h_source(int index);

        @Order(Endian.BIG)
        char h_proto();
    }

    @Declared(as = "Elf64_Ehdr", in = "elf.h")
    interface Elf64Ehdr {
        @Length(16)
        @C(CType.UNSIGNED_CHAR)
        int e_ident(int index);

        char e_type();

        char e_machine();

        @C(CType.UNSIGNED_INT)
        long e_version();

        long e_entry();

        long e_phoff();

        long e_shoff();

        @C(CType.UNSIGNED_INT)
        long e_flags();

        char e_ehsize();

        char e_phentsize();

        char e_phnum();

        char e_shentsize();

        char e_shnum();

        char e_shstrndx();
    }

    @Declared(as = "Elf64_Phdr", in = "elf.h")
    interface Elf64Phdr {
        @C(CType.UNSIGNED_INT)
        long p_type();

        @C(CType.UNSIGNED_INT)
        long p_flags();

        long p_offset();

        long p_vaddr();

        long p_paddr();

        long p_filesz();

        long p_memsz();

        long p_align();
    }

    @Declared(as = "Elf64_Shdr", in = "elf.h")
    interface Elf64Shdr {
        @C(CType.UNSIGNED_INT)
        long sh_name();

        @C(CType.UNSIGNED_INT)
        long sh_type();

        long sh_flags();

        long sh_addr();

        long sh_offset();

        long sh_size();

        @C(CType.UNSIGNED_INT)
        long sh_link();

        @C(CType.UNSIGNED_INT)
        long sh_info();

        long sh_addralign();

        long sh_entsize();
    }

    @Declared(as = "Elf64_Sym", in = "elf.h")
    interface Elf64Sym {
        @C(CType.UNSIGNED_INT)
        long st_name();

        @C(CType.UNSIGNED_CHAR)
        int st_info();

        @C(CType.UNSIGNED_CHAR)
        int st_other();

        char st_shndx();

        long st_value();

        long st_size();
    }

    @Declared(as = "struct dirent64", in = "dirent.h")
    interface Dirent64 {
        long d_ino();

        long d_off();

        char d_reclen();

        @C(CType.UNSIGNED_CHAR)
        int d_type();

        @Length(256)
        String d_name();
    }

    @Declared(as = "struct io_uring_cqe", in = "linux/io_uring.h")
    interface IoUringCqe {
        long user_data();

        int res();

        @C(CType.UNSIGNED_INT)
        long flags();

        @Flexible
        long big_cqe(long index);
    }

    @Declared(as = "struct io_sqring_offsets", in = "linux/io_uring.h")
    interface IoSqringOffsets {
        @C(CType.UNSIGNED_INT)
        long head();

        @C(CType.UNSIGNED_INT)
        long tail();

        @C(CType.UNSIGNED_INT)
        long ring_mask();

        @C(CType.UNSIGNED_INT)
        long ring_entries();

        @C(CType.UNSIGNED_INT)
        long flags();

        @C(CType.UNSIGNED_INT)
        long dropped();

        @C(CType.UNSIGNED_INT)
        long array();

        @C(CType.UNSIGNED_INT)
        long resv1();

        long resv2();
    }

    @Declared(as = "struct io_cqring_offsets", in = "linux/io_uring.h")
    interface IoCqringOffsets {
        @C(CType.UNSIGNED_INT)
        long head();

        @C(CType.UNSIGNED_INT)
        long tail();

        @C(CType.UNSIGNED_INT)
        long ring_mask();

        @C(CType.UNSIGNED_INT)
        long ring_entries();

        @C(CType.UNSIGNED_INT)
        long overflow();

        @C(CType.UNSIGNED_INT)
        long cqes();

        @C(CType.UNSIGNED_INT)
        long flags();

        @C(CType.UNSIGNED_INT)
        long resv1();

        long resv2();
    }

    @Declared(as = "struct io_uring_params", in = "linux/io_uring.h")
    interface IoUringParams {
        @C(CType.UNSIGNED_INT)
        long sq_entries();

        @C(CType.UNSIGNED_INT)
        long cq_entries();

        @C(CType.UNSIGNED_INT)
        long flags();

        @C(CType.UNSIGNED_INT)
        long sq_thread_cpu();

        @C(CType.UNSIGNED_INT)
        long sq_thread_idle();

        @C(CType.UNSIGNED_INT)
        long features();

        @C(CType.UNSIGNED_INT)
        long wq_fd();

        @Length(3)
        @C(CType.UNSIGNED_INT)
        long resv(int index);

        IoSqringOffsets sq_off();

        IoCqringOffsets cq_off();
    }

    @Union
    interface SqeOffset {
        long off();

        long addr2();
    }

    @Union
    interface SqeAddress {
        long addr();

        long splice_off_in();
    }

    @Union
    interface SqeOpFlags {
        int rw_flags();

        @C(CType.UNSIGNED_INT)
        long fsync_flags();

        @C(CType.UNSIGNED_INT)
        long poll32_events();

        @C(CType.UNSIGNED_INT)
        long sync_range_flags();

        @C(CType.UNSIGNED_INT)
        long msg_flags();

        @C(CType.UNSIGNED_INT)
        long timeout_flags();

        @C(CType.UNSIGNED_INT)
        long accept_flags();

        @C(CType.UNSIGNED_INT)
        long cancel_flags();

        @C(CType.UNSIGNED_INT)
        long open_flags();

        @C(CType.UNSIGNED_INT)
        long statx_flags();

        @C(CType.UNSIGNED_INT)
        long fadvise_advice();

        @C(CType.UNSIGNED_INT)
        long splice_flags();

        @C(CType.UNSIGNED_INT)
        long rename_flags();

        @C(CType.UNSIGNED_INT)
        long unlink_flags();

        @C(CType.UNSIGNED_INT)
        long hardlink_flags();

        char poll_events();
    }

    @Union
    interface SqeBuffer {
        char buf_index();

        char buf_group();
    }

    @Union
    interface SqeFile {
        int splice_fd_in();

        @C(CType.UNSIGNED_INT)
        long file_index();
    }

    @Declared(as = "struct io_uring_sqe", in = "linux/io_uring.h")
    interface IoUringSqe {
        @C(CType.UNSIGNED_CHAR)
        int opcode();

        @C(CType.UNSIGNED_CHAR)
        int flags();

        char ioprio();

        int fd();

        SqeOffset anon1();

        SqeAddress anon2();

        @C(CType.UNSIGNED_INT)
        long len();

        SqeOpFlags anon3();

        long user_data();

        SqeBuffer anon4();

        char personality();

        SqeFile anon5();

        long addr3();

        @Length(1)
        long __pad2(int index);
    }

    @Declared(as = "struct kvm_regs", in = "linux/kvm.h")
    interface KvmRegs {
        long rax();

        long rbx();

        long rcx();

        long rdx();

        long rsi();

        long rdi();

        long rsp();

        long rbp();

        long r8();

        long r9();

        long r10();

        long r11();

        long r12();

        long r13();

        long r14();

        long r15();

        long rip();

        long rflags();
    }

    @Declared(as = "struct kvm_segment", in = "linux/kvm.h")
    interface KvmSegment {
        long base();

        @C(CType.UNSIGNED_INT)
        long limit();

        char selector();

        @C(CType.UNSIGNED_CHAR)
        int type();

        @C(CType.UNSIGNED_CHAR)
        int present();

        @C(CType.UNSIGNED_CHAR)
        int dpl();

        @C(CType.UNSIGNED_CHAR)
        int db();

        @C(CType.UNSIGNED_CHAR)
        int s();

        @C(CType.UNSIGNED_CHAR)
        int l();

        @C(CType.UNSIGNED_CHAR)
        int g();

        @C(CType.UNSIGNED_CHAR)
        int avl();

        @C(CType.UNSIGNED_CHAR)
        int unusable();

        @C(CType.UNSIGNED_CHAR)
        int padding();
    }

    @Declared(as = "struct kvm_dtable", in = "linux/kvm.h")
    interface KvmDtable {
        long base();

        char limit();

        @Length(3)
        char padding(int index);
    }

    @Declared(as = "struct kvm_sregs", in = "linux/kvm.h")
    interface KvmSregs {
        KvmSegment cs();

        KvmSegment ds();

        KvmSegment es();

        KvmSegment fs();

        KvmSegment gs();

        KvmSegment ss();

        KvmSegment tr();

        KvmSegment ldt();

        KvmDtable gdt();

        KvmDtable idt();

        long cr0();

        long cr2();

        long cr3();

        long cr4();

        long cr8();

        long efer();

        long apic_base();

        @Length(4)
        long interrupt_bitmap(int index);
    }

    @Declared(as = "struct kvm_userspace_memory_region", in = "linux/kvm.h")
    interface KvmMemoryRegion {
        @C(CType.UNSIGNED_INT)
        long slot();

        @C(CType.UNSIGNED_INT)
        long flags();

        long guest_phys_addr();

        long memory_size();

        long userspace_addr();
    }

    interface KvmExitHw {
        long hardware_exit_reason();
    }

    interface KvmExitIo {
        @C(CType.UNSIGNED_CHAR)
        int direction();

        @C(CType.UNSIGNED_CHAR)
        int size();

        char port();

        @C(CType.UNSIGNED_INT)
        long count();

        long data_offset();
    }

    interface KvmExitMmio {
        long phys_addr();

        @Length(8)
        @C(CType.UNSIGNED_CHAR)
        int data(int index);

        @C(CType.UNSIGNED_INT)
        long len();

        @C(CType.UNSIGNED_CHAR)
        int is_write();
    }

    @Union
    interface KvmExit {
        KvmExitHw hw();

        KvmExitIo io();

        KvmExitMmio mmio();

        @Length(256)
        byte padding(int index);
    }

    @Union
    interface KvmSync {
        @Length(2048)
        byte padding(int index);
    }

    @Declared(as = "struct kvm_run", in = "linux/kvm.h")
    interface KvmRun {
        @C(CType.UNSIGNED_CHAR)
        int request_interrupt_window();

        @C(CType.UNSIGNED_CHAR)
        int immediate_exit();

        @Length(6)
        @C(CType.UNSIGNED_CHAR)
        int padding1(int index);

        @C(CType.UNSIGNED_INT)
        long exit_reason();

        @C(CType.UNSIGNED_CHAR)
        int ready_for_interrupt_injection();

        @C(CType.UNSIGNED_CHAR)
        int if_flag();

        char flags();

        long cr8();

        long apic_base();

        KvmExit anon1();

        long kvm_valid_regs();

        long kvm_dirty_regs();

        KvmSync s();
    }

    @Declared(as = "struct input_event", in = "linux/input.h")
    interface InputEvent {
        Timeval time();

        char type();

        char code();

        int value();
    }

    @Declared(as = "struct utsname", in = "sys/utsname.h")
    interface Utsname {
        @Length(65)
        String sysname();

        @Length(65)
        String nodename();

        @Length(65)
        String release();

        @Length(65)
        String version();

        @Length(65)
        String machine();

        @Length(65)
        String domainname();
    }

    @Union
    interface SigactionHandler {
        MemorySegment sa_handler();

        MemorySegment sa_sigaction();
    }

    @Declared(as = "struct sigaction", in = "signal.h")
    interface Sigaction {
        SigactionHandler anon1();

        @Length(16)
        @C(CType.UNSIGNED_LONG)
        long sa_mask(int index);

        int sa_flags();

        MemorySegment sa_restorer();
    }

    @Declared(as = "struct rusage", in = "sys/resource.h")
    interface Rusage {
        Timeval ru_utime();

        Timeval ru_stime();

        @C(CType.LONG)
        long ru_maxrss();

        @C(CType.LONG)
        long ru_ixrss();

        @C(CType.LONG)
        long ru_idrss();

        @C(CType.LONG)
        long ru_isrss();

        @C(CType.LONG)
        long ru_minflt();

        @C(CType.LONG)
        long ru_majflt();

        @C(CType.LONG)
        long ru_nswap();

        @C(CType.LONG)
        long ru_inblock();

        @C(CType.LONG)
        long ru_oublock();

        @C(CType.LONG)
        long ru_msgsnd();

        @C(CType.LONG)
        long ru_msgrcv();

        @C(CType.LONG)
        long ru_nsignals();

        @C(CType.LONG)
        long ru_nvcsw();

        @C(CType.LONG)
        long ru_nivcsw();
    }

    @Declared(as = "struct pollfd", in = "poll.h")
    interface Pollfd {
        int fd();

        short events();

        short revents();
    }

    @Declared(as = "struct iovec", in = "sys/uio.h")
    interface Iovec {
        MemorySegment iov_base();

        @C(CType.SIZE_T)
        long iov_len();
    }

    @Declared(as = "struct msghdr", in = "sys/socket.h")
    interface Msghdr {
        MemorySegment msg_name();

        @C(CType.UNSIGNED_INT)
        long msg_namelen();

        Pointer<Iovec> msg_iov();

        @C(CType.SIZE_T)
        long msg_iovlen();

        MemorySegment msg_control();

        @C(CType.SIZE_T)
        long msg_controllen();

        int msg_flags();
    }

    @Declared(as = "struct cmsghdr", in = "sys/socket.h")
    interface Cmsghdr {
        @C(CType.SIZE_T)
        long cmsg_len();

        int cmsg_level();

        int cmsg_type();

        @Flexible
        @C(CType.UNSIGNED_CHAR)
        int __cmsg_data(long index);
    }

    @Declared(as = "struct flock", in = "fcntl.h")
    interface Flock {
        short l_type();

        short l_whence();

        @C(CType.LONG)
        long l_start();

        @C(CType.LONG)
        long l_len();

        int l_pid();
    }

    @Declared(as = "struct inotify_event", in = "sys/inotify.h")
    interface InotifyEvent {
        int wd();

        @C(CType.UNSIGNED_INT)
        long mask();

        @C(CType.UNSIGNED_INT)
        long cookie();

        @C(CType.UNSIGNED_INT)
        long len();

        @Flexible
        byte name(long index);
    }

    @Declared(as = "struct bpf_insn", in = "linux/bpf.h")
    interface BpfInsn {
        @C(CType.UNSIGNED_CHAR)
        int code();

        @Bits(4)
        byte dst_reg();

        @Bits(4)
        byte src_reg();

        short off();

        int imm();
    }
}
