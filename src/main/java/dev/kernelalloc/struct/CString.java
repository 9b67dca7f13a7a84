package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Makes a {@code String} member a {@code char *}: a pointer to UTF-8 text that ends with a NUL. A
 * null pointer is {@code null}.
 *
 * {@snippet lang = java :
 * record User(@CString String name, @CString String password, int uid, int gid) {}
 * }
 *
 * <p>Reading follows the pointer, as {@link Pointer#get} does: the declaration vouches that it is
 * null or points to text, and native access must be enabled for the module of the lookup that the
 * type was created with. Memory from an allocator without initial contents holds neither: write the
 * struct before it is read. Owners such as {@code NativeBox} begin with null pointers. {@link
 * StructType#toString(java.lang.foreign.MemorySegment)} shows the address only.
 *
 * <p>A struct has no memory for the text, so a text is written only by {@link
 * StructType#allocate(java.lang.foreign.SegmentAllocator, Object)}, which takes memory for it from
 * the same allocator. Elsewhere {@code null} is written, and any other value is refused with an
 * {@link IllegalArgumentException}; to write a pointer to text that exists, use {@link
 * StructType#varHandle(String)}.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface CString {}
