package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.struct.StructType;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;

/** Whatever way a value takes from box to box, it is the one that was written last. */
class BoxPropertiesTest {

    record Value(long first, int second, byte third) {}

    private static final StructType<Value> VALUE =
            StructType.of(MethodHandles.lookup(), Value.class);

    private static final int BOXES = 4;

    @Property
    void boxesHoldWhatAListOfValuesHolds(
            @ForAll EveryAllocator kind,
            @ForAll @Size(max = 60) List<@IntRange(max = 9 * BOXES * BOXES - 1) Integer> steps)
            throws Exception {
        kind.use(
                allocator -> {
                    List<NativeBox<Value>> boxes = new ArrayList<>();
                    List<Value> model = new ArrayList<>();
                    for (int i = 0; i < BOXES; i++) {
                        Value value = new Value(i, -i, (byte) i);
                        boxes.add(NativeBox.of(allocator, VALUE, value));
                        model.add(value);
                    }
                    int number = BOXES;
                    for (int step : steps) {
                        int one = step / 9 % BOXES;
                        int other = step / 9 / BOXES;
                        Value fresh = new Value(number, ~number, (byte) number);
                        number++;
                        apply(step % 9, allocator, boxes, model, one, other, fresh);
                        for (int i = 0; i < BOXES; i++) {
                            assertThat(boxes.get(i).get()).isEqualTo(model.get(i));
                        }
                    }
                    boxes.forEach(NativeBox::close);
                });
    }

    private static void apply(
            int kind,
            KernelAllocator allocator,
            List<NativeBox<Value>> boxes,
            List<Value> model,
            int one,
            int other,
            Value fresh) {
        NativeBox<Value> box = boxes.get(one);
        switch (kind) {
            case 0 -> {
                box.set(fresh);
                model.set(one, fresh);
            }
            case 1 -> {
                box.update(_ -> fresh);
                model.set(one, fresh);
            }
            case 2 -> {
                box.swap(boxes.get(other));
                model.set(one, model.set(other, model.get(one)));
            }
            case 3 -> {
                NativeBox<Value> copy = box.copy();
                boxes.set(other, copy).close();
                model.set(other, model.get(one));
            }
            case 4 -> {
                NativeBox<Value> mapped = box.map(_ -> fresh);
                boxes.set(other, mapped).close();
                model.set(other, fresh);
            }
            case 5 -> boxes.set(one, box.detach().attach());
            case 6 -> {
                SharedBox<Value> shared = box.detach().share();
                shared.set(fresh);
                model.set(one, fresh);
                boxes.set(one, shared.detach().attach());
            }
            case 7 -> {
                MemorySegment raw = box.release();
                boxes.set(one, NativeBox.adopt(allocator, VALUE, raw));
            }
            default -> {
                boxes.set(one, NativeBox.zeroed(allocator, VALUE));
                box.close();
                model.set(one, new Value(0, 0, (byte) 0));
            }
        }
    }
}
