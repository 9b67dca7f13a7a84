package dev.kernelalloc.benchmarks.heap;

/** Marsaglia's xorshift with 64 bits: three shifts, and the same numbers in Java and in C. */
public final class Xorshift {

    private long state;

    public Xorshift(long seed) {
        // Neighbouring seeds must not begin alike, and 0 would stay 0.
        this.state = (seed + 1) * 0x9E3779B97F4A7C15L | 1;
    }

    /** Its low bits are as good as its high ones for what is drawn here. */
    public long next() {
        state ^= state << 13;
        state ^= state >>> 7;
        state ^= state << 17;
        return state;
    }

    /** From 0 to below the bound, which is small beside 2^31. */
    public int below(int bound) {
        return (int) ((next() >>> 33) * bound >>> 31);
    }
}
