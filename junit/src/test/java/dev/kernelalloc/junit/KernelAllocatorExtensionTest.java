package dev.kernelalloc.junit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import dev.kernelalloc.LiveBlocksException;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;
import org.junit.platform.testkit.engine.Events;
import org.opentest4j.AssertionFailedError;

import java.util.Map;
import java.util.stream.Collectors;

class KernelAllocatorExtensionTest {

    @Test
    @DisplayName("Tests that free what they allocate pass, whichever way they are given allocators")
    void clean_everyParameter_passes() {
        Events tests = run(LeakCases.Clean.class).testEvents();
        tests.assertStatistics(statistics -> statistics.succeeded(5).failed(0));
        run(LeakCases.OfClass.class).testEvents().assertStatistics(s -> s.succeeded(1).failed(0));
    }

    @Test
    @DisplayName("A test that leaks fails, and the message names the line that allocated")
    void leaking_eachKind_failsWithThePlace() {
        Map<String, Throwable> failures = failures(run(LeakCases.Leaking.class).testEvents());
        assertThat(failures).hasSize(5);
        assertThat(failures.get("leaksBlock"))
                .isInstanceOf(AssertionFailedError.class)
                .hasCauseInstanceOf(LiveBlocksException.class)
                .hasMessageContaining("memory leaked by leaksBlock(PoolAllocator)")
                .hasMessageContaining("raw block")
                .hasMessageContaining("48 bytes")
                .hasMessageContaining("LeakCases$Leaking.leaksBlock(LeakCases.java:");
        assertThat(failures.get("leaksString"))
                .hasMessageContaining("LeakCases$Leaking.leaksString(LeakCases.java:");
        assertThat(failures.get("leaksArena"))
                .hasMessageContaining("arena")
                .hasMessageContaining("LeakCases$Leaking.leaksArena(LeakCases.java:");
        assertThat(failures.get("leaksLockedBlock"))
                .hasMessageContaining("LeakCases$Leaking.leaksLockedBlock(LeakCases.java:");
    }

    @Test
    @DisplayName("The failure of the test itself comes first, the leak is suppressed in it")
    void leaking_testThatFails_keepsItsFailure() {
        Map<String, Throwable> failures = failures(run(LeakCases.Leaking.class).testEvents());
        assertThat(failures.get("failsAndLeaks")).hasMessage("its own failure");
        assertThat(failures.get("failsAndLeaks").getSuppressed())
                .singleElement()
                .asString()
                .contains("LeakCases$Leaking.failsAndLeaks(LeakCases.java:");
    }

    @Test
    @DisplayName("A constructor or @BeforeEach that fails keeps its failure, with the leak in it")
    void leaking_beforeTheTest_isSuppressedInTheFailure() {
        Throwable constructor =
                failures(run(LeakCases.FailingConstructor.class).testEvents()).get("isNotRun");
        assertThat(constructor).hasMessage("in the constructor");
        assertThat(constructor.getSuppressed())
                .singleElement()
                .asString()
                .contains("LeakCases$FailingConstructor.<init>(LeakCases.java:");
        Events tests = run(LeakCases.FailingBefore.class).testEvents();
        assertThat(failures(tests)).containsOnlyKeys("failsBefore", "isAborted");
        Throwable before = failures(tests).get("failsBefore");
        assertThat(before).hasMessage("before the test");
        assertThat(before.getSuppressed())
                .singleElement()
                .asString()
                .contains("LeakCases$FailingBefore.allocate(LeakCases.java:");
        assertThat(failures(tests).get("isAborted"))
                .hasMessageContaining("memory leaked by isAborted()");
    }

    @Test
    @DisplayName("Other threads and dynamic tests may leak, and a test may have any name")
    void leaking_unusually_fails() {
        EngineExecutionResults results = run(LeakCases.Unusual.class);
        Map<String, Throwable> failures = failures(results.allEvents());
        assertThat(failures).containsOnlyKeys("leaksInAThread", "leaksDynamically");
        assertThat(failures.get("leaksInAThread"))
                .hasMessageContaining("leaksInAThread$")
                .hasMessageContaining("(LeakCases.java:");
        assertThat(failures.get("leaksDynamically")).hasMessageContaining("(LeakCases.java:");
        results.testEvents().assertStatistics(statistics -> statistics.succeeded(3));
    }

    @Test
    @DisplayName("A test may close its allocator; a child that it leaves open is a leak")
    void closing_byTheTest_failsOnlyWithSomethingAlive() {
        Events tests = run(LeakCases.Closing.class).testEvents();
        tests.assertStatistics(statistics -> statistics.succeeded(1).failed(2));
        Map<String, Throwable> failures = failures(tests);
        assertThat(failures.get("closesAndLeaks"))
                .isInstanceOf(AssertionFailedError.class)
                .hasMessageContaining("1 blocks are live though the test closed their allocator");
        assertThat(failures.get("leavesChildOpen"))
                .isInstanceOf(AssertionFailedError.class)
                .hasMessageContaining("memory leaked by leavesChildOpen(PoolAllocator)")
                .hasMessageContaining("query");
    }

    @Test
    @DisplayName("With one instance for all tests, and nested, each test has its own allocator")
    void instance_perClass_allocatorPerTest() {
        Events tests = run(LeakCases.PerClass.class).testEvents();
        tests.assertStatistics(statistics -> statistics.succeeded(1).failed(2));
        assertThat(failures(tests)).containsOnlyKeys("leaksInPerClass", "leaksInInner");
        run(LeakCases.PerClass.class).containerEvents().assertStatistics(s -> s.failed(0));
    }

    @Test
    @DisplayName("Of tests that run at the same time those fail that leak")
    void parallel_everySecondLeaks_everySecondFails() {
        EngineTestKit.engine("junit-jupiter")
                .configurationParameter("junit.jupiter.execution.parallel.enabled", "true")
                .selectors(selectClass(LeakCases.Parallel.class))
                .execute()
                .testEvents()
                .assertStatistics(statistics -> statistics.succeeded(50).failed(50));
    }

    @Test
    @DisplayName("What @BeforeAll leaks fails the class, not its tests")
    void leaking_beforeAll_failsTheClass() {
        EngineExecutionResults results = run(LeakCases.LeakingClass.class);
        results.testEvents().assertStatistics(statistics -> statistics.succeeded(1).failed(0));
        assertThat(failures(results.containerEvents()).values())
                .singleElement()
                .asString()
                .contains("LeakCases$LeakingClass.leak(LeakCases.java:");
    }

    @Test
    @DisplayName("The line is named also where the collector has found the leak before the end")
    void leaking_collectedBeforeTheEnd_failsWithThePlace() {
        Map<String, Throwable> failures = failures(run(LeakCases.Dropping.class).testEvents());
        assertThat(failures.get("dropsString"))
                .isInstanceOf(AssertionFailedError.class)
                .hasMessageContaining("LeakCases$Dropping.dropsString(LeakCases.java:");
    }

    @Test
    @DisplayName("Settings are those given, but for the level of tracking")
    void settings_registered_apply() {
        run(LeakCases.Limited.class).testEvents().assertStatistics(s -> s.succeeded(1).failed(0));
    }

    @Test
    @DisplayName("Parameters of other types are left to other resolvers")
    void parameter_ofOtherType_isNotResolved() {
        assertThat(failures(run(LeakCases.OfOtherType.class).testEvents()).values())
                .singleElement()
                .isInstanceOf(ParameterResolutionException.class);
    }

    private static EngineExecutionResults run(Class<?> tests) {
        return EngineTestKit.engine("junit-jupiter").selectors(selectClass(tests)).execute();
    }

    private static Map<String, Throwable> failures(Events events) {
        return events.failed().stream()
                .collect(
                        Collectors.toMap(
                                event -> event.getTestDescriptor().getDisplayName().split("\\(")[0],
                                KernelAllocatorExtensionTest::failure));
    }

    private static Throwable failure(Event event) {
        return event.getRequiredPayload(TestExecutionResult.class).getThrowable().orElseThrow();
    }
}
