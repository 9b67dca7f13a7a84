package dev.kernelalloc.os;

/**
 * A file descriptor and the file it stood for when it was opened. All code of the process can close
 * a descriptor, and its number may be another file's then.
 *
 * @param descriptor its number
 * @param identity of the file
 */
public record OpenFile(int descriptor, FileIdentity identity) {}
