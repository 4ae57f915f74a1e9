/**
 * Numbers of the BTF format, with the kernel's names
 * (linux v6.18 include/uapi/linux/btf.h, Documentation/bpf/btf.rst).
 */

/** First two bytes of the header, as a 16-bit integer of the file's byte order. */
export const BTF_MAGIC = 0xeb9f
/** The only version there is. */
export const BTF_VERSION = 1
/** Bytes of `struct btf_header`; `hdr_len` may be larger. */
export const BTF_HEADER_SIZE = 24

/** Largest type id that the kernel accepts. */
export const BTF_MAX_TYPE = 0x000fffff
/** Largest offset into the string section that the kernel accepts. */
export const BTF_MAX_NAME_OFFSET = 0x00ffffff
/** Most members, enumerators or parameters of one type. */
export const BTF_MAX_VLEN = 0xffff
/** Largest BTF that BTF_LOAD takes, in bytes (linux v6.18 kernel/bpf/btf.c BTF_MAX_SIZE). */
export const BTF_MAX_SIZE: number = 16 * 1024 * 1024
/** Longest chain of types that one type may be made of (kernel/bpf/btf.c MAX_RESOLVE_DEPTH). */
export const MAX_RESOLVE_DEPTH = 32
/** Longest identifier, with its terminating zero (kernel/bpf/btf.c, include/linux/kallsyms.h). */
export const KSYM_NAME_LEN = 512

export const BTF_KIND_UNKN = 0
export const BTF_KIND_INT = 1
export const BTF_KIND_PTR = 2
export const BTF_KIND_ARRAY = 3
export const BTF_KIND_STRUCT = 4
export const BTF_KIND_UNION = 5
export const BTF_KIND_ENUM = 6
export const BTF_KIND_FWD = 7
export const BTF_KIND_TYPEDEF = 8
export const BTF_KIND_VOLATILE = 9
export const BTF_KIND_CONST = 10
export const BTF_KIND_RESTRICT = 11
export const BTF_KIND_FUNC = 12
export const BTF_KIND_FUNC_PROTO = 13
export const BTF_KIND_VAR = 14
export const BTF_KIND_DATASEC = 15
export const BTF_KIND_FLOAT = 16
export const BTF_KIND_DECL_TAG = 17
export const BTF_KIND_TYPE_TAG = 18
export const BTF_KIND_ENUM64 = 19
/** The largest kind that Linux 6.18 knows. */
export const BTF_KIND_MAX = 19

/** Encoding bits of BTF_KIND_INT. */
export const BTF_INT_SIGNED = 1
export const BTF_INT_CHAR = 2
export const BTF_INT_BOOL = 4

/** Linkage of BTF_KIND_FUNC (in `vlen`). */
export const BTF_FUNC_STATIC = 0
export const BTF_FUNC_GLOBAL = 1
export const BTF_FUNC_EXTERN = 2

/** Linkage of BTF_KIND_VAR. */
export const BTF_VAR_STATIC = 0
export const BTF_VAR_GLOBAL_ALLOCATED = 1
export const BTF_VAR_GLOBAL_EXTERN = 2
