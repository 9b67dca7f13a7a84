package dev.kernelalloc.testing.host;

import dev.kernelalloc.testing.LinuxProcess;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Where some pages of this process lay at one moment, by a page map that is read without the
 * library.
 *
 * @param pages an address in each
 * @param places the physical address of each
 */
public record PagePlaces(List<Long> pages, List<Long> places) {

    /** Where pages lie now; they are present. */
    public static PagePlaces of(List<Long> pages) {
        return new PagePlaces(pages, pages.stream().map(LinuxProcess::physicalAddress).toList());
    }

    /** The pages that lie elsewhere now. */
    public List<Long> moved() {
        return IntStream.range(0, pages.size())
                .filter(i -> LinuxProcess.physicalAddress(pages.get(i)) != places.get(i))
                .mapToObj(pages::get)
                .toList();
    }
}
