/**
 * Long runs of random operations beside models in plain Java: see {@code stress/soak} and its
 * README. A run is a sequence of rounds; the round of a seed does the same whenever it runs.
 */
package dev.kernelalloc.soak;
