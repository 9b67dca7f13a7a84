package dev.kernelalloc.os;

/**
 * A file descriptor and the file it had when it was opened. All code of the process can close a
 * descriptor, and its number may be another file's then.
 *
 * @param descriptor the number of the descriptor
 * @param identity the identity of the file
 */
public record OpenFile(int descriptor, FileIdentity identity) {}
