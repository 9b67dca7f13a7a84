package dev.kernelalloc.junit;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.opentest4j.AssertionFailedError;

import java.util.Objects;
import java.util.function.UnaryOperator;

/**
 * Resolves parameters of type {@link PoolAllocator}, {@link KernelAllocator} and {@link
 * PhysicalAllocator} in tests, their constructors and their lifecycle methods.
 *
 * <p>Each test has allocators of its own, shared by its constructor, its {@code @BeforeEach} and
 * {@code @AfterEach} methods; {@code @BeforeAll} and {@code @AfterAll} methods share those of their
 * class. They track every block ({@link Tracking#ALL}) and are closed at the end, after all
 * lifecycle methods, other extensions and {@code @AutoClose} fields. A test that leaves a block,
 * box or arena alive, or a child of its allocator open, fails; the message shows where each block
 * was allocated, or names the child. A test may close its allocator itself.
 *
 * <p>Register it with {@code @ExtendWith(KernelAllocatorExtension.class)}, or with
 * {@code @RegisterExtension} to change the settings. Needs JUnit 5.13 or newer. Safe for tests that
 * run in parallel.
 */
public final class KernelAllocatorExtension implements ParameterResolver {

    private static final ExtensionContext.Namespace NAMESPACE =
            ExtensionContext.Namespace.create(KernelAllocatorExtension.class);

    private final UnaryOperator<PoolAllocator.Builder> poolSettings;
    private final UnaryOperator<PhysicalAllocator.Builder> physicalSettings;

    /** Creates an extension whose allocators have the default settings. */
    public KernelAllocatorExtension() {
        this(UnaryOperator.identity(), UnaryOperator.identity());
    }

    private KernelAllocatorExtension(
            UnaryOperator<PoolAllocator.Builder> poolSettings,
            UnaryOperator<PhysicalAllocator.Builder> physicalSettings) {
        this.poolSettings = Objects.requireNonNull(poolSettings, "settings");
        this.physicalSettings = Objects.requireNonNull(physicalSettings, "settings");
    }

    /**
     * Returns an extension with other settings for pools, such as {@code builder ->
     * builder.hardened(true).limit(1 << 20)}.
     *
     * @param settings applied to the builder of each pool; the level of tracking stays {@link
     *     Tracking#ALL}
     * @return a new extension, otherwise like this one
     */
    public KernelAllocatorExtension pool(UnaryOperator<PoolAllocator.Builder> settings) {
        return new KernelAllocatorExtension(settings, physicalSettings);
    }

    /**
     * Returns an extension with other settings for allocators of physical memory.
     *
     * @param settings applied to the builder of each; the level of tracking stays {@link
     *     Tracking#ALL}
     * @return a new extension, otherwise like this one
     */
    public KernelAllocatorExtension physical(UnaryOperator<PhysicalAllocator.Builder> settings) {
        return new KernelAllocatorExtension(poolSettings, settings);
    }

    /** Returns that a constructor's parameters belong to the test, as those of the test do. */
    @Override
    public ExtensionContextScope getTestInstantiationExtensionContextScope(
            ExtensionContext rootContext) {
        return ExtensionContextScope.TEST_METHOD;
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        Class<?> type = parameter.getParameter().getType();
        return type == PoolAllocator.class
                || type == KernelAllocator.class
                || type == PhysicalAllocator.class;
    }

    @Override
    public KernelAllocator resolveParameter(ParameterContext parameter, ExtensionContext context) {
        boolean physical = parameter.getParameter().getType() == PhysicalAllocator.class;
        Key key = new Key(context.getUniqueId(), physical);
        return context.getStore(NAMESPACE)
                .getOrComputeIfAbsent(key, _ -> allocator(context, physical), OfTest.class)
                .allocator;
    }

    private OfTest allocator(ExtensionContext context, boolean physical) {
        String test = context.getDisplayName();
        KernelAllocator allocator =
                physical
                        ? physicalSettings
                                .apply(PhysicalAllocator.builder().tag(test))
                                .tracking(Tracking.ALL)
                                .build()
                        : poolSettings
                                .apply(PoolAllocator.builder().tag(test))
                                .tracking(Tracking.ALL)
                                .build();
        return new OfTest(allocator, test);
    }

    /**
     * Of an allocator in a store. A store looks a key up in those of enclosing contexts, too: the
     * context's id keeps the allocator of a class from its tests.
     */
    private record Key(String contextId, boolean physical) {}

    /** An allocator that JUnit closes with the context it was made for. */
    private record OfTest(KernelAllocator allocator, String test) implements AutoCloseable {

        @Override
        public void close() {
            try {
                allocator.close();
            } catch (LiveBlocksException e) {
                throw leaked(e.getMessage(), e);
            } catch (IllegalStateException e) {
                if (!isClosed()) {
                    throw leaked(e.getMessage(), e); // a child of it is still open
                }
                long live = allocator.stats().liveBlocks();
                if (live > 0) {
                    throw leaked(
                            live + " blocks are live though the test closed their allocator", e);
                }
            }
        }

        private boolean isClosed() {
            try {
                allocator.tryAllocate(1, 1).ifPresent(allocator::free);
                return false;
            } catch (IllegalStateException _) {
                return true;
            }
        }

        private AssertionFailedError leaked(@Nullable String what, Throwable cause) {
            return new AssertionFailedError("memory leaked by " + test + ": " + what, cause);
        }
    }
}
