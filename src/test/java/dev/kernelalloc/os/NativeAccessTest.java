package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.stream.Stream;

class NativeAccessTest {

    static Stream<Arguments> paths() {
        return Stream.of(
                Arguments.of(
                        Named.of("module path", true), "--enable-native-access=dev.kernelalloc"),
                Arguments.of(Named.of("class path", false), "--enable-native-access=ALL-UNNAMED"));
    }

    private static ChildJvm child(boolean onModulePath) {
        return onModulePath ? ChildJvm.onModulePath() : ChildJvm.onClassPath();
    }

    @ParameterizedTest
    @MethodSource("paths")
    void withoutTheFlagTheLibraryNamesItOnceBeforeTheJvmWarns(boolean onModulePath, String flag)
            throws Exception {
        ChildJvm.Result result = child(onModulePath).run(TwoCalls.class);

        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).contains("call 1 works", "call 2 works");
        assertThat(result.output())
                .containsOnlyOnce("Kernel-Alloc")
                .contains("run java with " + flag);
        assertThat(result.output().indexOf("Kernel-Alloc"))
                .isLessThan(result.output().indexOf("A restricted method in java.lang.foreign"));
    }

    @ParameterizedTest
    @MethodSource("paths")
    void withTheFlagNothingIsSaid(boolean onModulePath, String flag) throws Exception {
        ChildJvm.Result result =
                child(onModulePath).with(flag, "--illegal-native-access=deny").run(TwoCalls.class);

        assertThat(result.output()).isEqualToIgnoringNewLines("call 1 workscall 2 works");
    }

    @ParameterizedTest
    @MethodSource("paths")
    void whereNativeAccessIsDeniedEveryCallExplainsIt(boolean onModulePath, String flag)
            throws Exception {
        ChildJvm.Result result =
                child(onModulePath).with("--illegal-native-access=deny").run(TwoCalls.class);

        String explained = ": java.lang.IllegalCallerException: Kernel-Alloc needs native access";
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).contains("call 1" + explained, "call 2" + explained);
        assertThat(result.output().lines().filter(line -> line.startsWith("call")))
                .allSatisfy(line -> assertThat(line).endsWith("run java with " + flag));
    }

    static final class TwoCalls {

        private TwoCalls() {}

        public static void main(String[] arguments) throws Refusal {
            for (int call = 1; call <= 2; call++) {
                try {
                    Platform.current().free(Platform.current().malloc(1));
                    System.out.println("call " + call + " works");
                } catch (IllegalCallerException denied) {
                    System.out.println("call " + call + ": " + denied);
                }
            }
        }
    }
}
