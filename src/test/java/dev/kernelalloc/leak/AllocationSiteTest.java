package dev.kernelalloc.leak;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.nio.file.Path;

class AllocationSiteTest {

    @Test
    @DisplayName("An allocation site has no frame of the library, in whatever package it is")
    void own_classesOfEveryPackage_areSkipped() {
        assertThat(
                        new ClassFileImporter()
                                        .importPath(
                                                Path.of(
                                                        System.getProperty("project.basedir"),
                                                        "target/classes"))
                                        .stream()
                                        .map(JavaClass::getName))
                .contains(AllocationSiteTest.class.getPackageName() + ".AllocationSite")
                .allMatch(AllocationSite.LibraryClasses::has);
    }

    @Test
    @DisplayName("Integrations of the library are its callers")
    void own_integrations_areCallers() {
        assertThat(
                        new String[] {
                            "dev.kernelalloc.netty.KernelByteBufAllocator",
                            "dev.kernelalloc.benchmarks.Benchmarks",
                            "Main"
                        })
                .noneMatch(AllocationSite.LibraryClasses::has);
    }
}
