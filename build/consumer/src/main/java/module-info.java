module consumer {
    requires dev.kernelalloc;
}
