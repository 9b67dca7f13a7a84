import dev.kernelalloc.NativeVec
import dev.kernelalloc.PoolAllocator
import dev.kernelalloc.struct.StructType
import java.lang.invoke.MethodHandles

@JvmRecord
data class Span(val start: Long, val end: Long)

fun main() {
    val type = StructType.of(MethodHandles.lookup(), Span::class.java)
    NativeVec.create(PoolAllocator.shared(), type).use { spans ->
        spans.add(Span(1, 2))
        println("${spans.get(0)} of ${spans.size()}")
    }
}
