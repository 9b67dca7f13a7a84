package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

/** Which struct each generated class of views shows. An entry lives as long as the class. */
final class ViewStructs extends ClassValue<ViewStructs.Entry> {

    private static final ViewStructs ALL = new ViewStructs();

    private ViewStructs() {}

    /** The struct of one class; null for a class that is not generated. */
    static final class Entry {
        private volatile @Nullable StructModel model;
    }

    @Override
    protected Entry computeValue(Class<?> type) {
        return new Entry();
    }

    static void put(Class<?> view, StructModel model) {
        ALL.get(view).model = model;
    }

    /** Null where the class is not generated. */
    static @Nullable StructModel of(Class<?> view) {
        return ALL.get(view).model;
    }
}
