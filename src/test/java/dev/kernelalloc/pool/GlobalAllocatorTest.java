package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;

/** The global allocator is chosen once a process, so each case has a process of its own. */
class GlobalAllocatorTest {

    @Test
    void itIsTheSharedPoolByDefault() throws Exception {
        assertThat(run(UseFirst.class)).isEqualTo("shared pool, same, set too late, not closed");
    }

    @Test
    void aPropertyNamesIt() throws Exception {
        assertThat(run(UseFirst.class, "-Ddev.kernelalloc.global=physical"))
                .isEqualTo("PhysicalAllocator, same, set too late, not closed");
        assertThat(run(UseFirst.class, "-Ddev.kernelalloc.global=pool"))
                .isEqualTo("shared pool, same, set too late, not closed");
    }

    @Test
    void aPropertyOfAnotherValueIsRefusedWithItsValueEveryTime() throws Exception {
        assertThat(run(UseTwice.class, "-Ddev.kernelalloc.global=tape"))
                .isEqualTo(
                        "-Ddev.kernelalloc.global=tape: must be pool or physical, "
                                + "-Ddev.kernelalloc.global=tape: must be pool or physical");
    }

    @Test
    void itCanBeSetOnceBeforeItIsUsedAndNeverClosed() throws Exception {
        assertThat(run(SetFirst.class)).isEqualTo("mine, set too late, not closed");
    }

    private static String run(Class<?> main, String... flags) throws InterruptedException {
        String output = ChildJvm.onModulePath().withNativeAccess().with(flags).outputOf(main);
        return output.strip();
    }

    static final class UseFirst {
        private UseFirst() {}

        static void main() {
            KernelAllocator global = KernelAllocator.global();
            IO.println(
                    String.join(
                            ", ",
                            global == PoolAllocator.shared()
                                    ? "shared pool"
                                    : global.getClass().getSimpleName(),
                            global == KernelAllocator.global() ? "same" : "another",
                            set(PoolAllocator.create()),
                            close(global)));
        }
    }

    static final class UseTwice {
        private UseTwice() {}

        static void main() {
            IO.println(use() + ", " + use());
        }

        private static String use() {
            try {
                return KernelAllocator.global().toString();
            } catch (IllegalArgumentException e) {
                return e.getMessage();
            }
        }
    }

    static final class SetFirst {
        private SetFirst() {}

        static void main() {
            PoolAllocator mine = PoolAllocator.builder().tag("mine").build();
            KernelAllocator.setGlobal(mine);
            IO.println(
                    String.join(
                            ", ",
                            KernelAllocator.global() == mine ? "mine" : "another",
                            set(mine),
                            close(mine)));
        }
    }

    private static String set(KernelAllocator allocator) {
        try {
            KernelAllocator.setGlobal(allocator);
            return "set";
        } catch (IllegalStateException e) {
            return "set too late";
        }
    }

    private static String close(KernelAllocator allocator) {
        try {
            allocator.close();
            return "closed";
        } catch (UnsupportedOperationException e) {
            return "not closed";
        }
    }
}
