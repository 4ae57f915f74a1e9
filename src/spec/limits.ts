/**
 * Limits of Linux, by the kernel's names.
 *
 * Source: linux v6.18; the file is named at each.
 */

/** Instructions in one program for callers without CAP_BPF. include/uapi/linux/bpf_common.h */
export const BPF_MAXINSNS = 4096
/** Instructions the verifier walks before it gives up, and the program's size limit. include/linux/bpf.h */
export const BPF_COMPLEXITY_LIMIT_INSNS = 1_000_000
/** Branches waiting to be walked. kernel/bpf/verifier.c */
export const BPF_COMPLEXITY_LIMIT_JMP_SEQ = 8192
/** States kept at one instruction. kernel/bpf/verifier.c */
export const BPF_COMPLEXITY_LIMIT_STATES = 64
/** Bytes of stack of one frame, and of all frames of a call chain together. include/linux/filter.h */
export const MAX_BPF_STACK = 512
/** Frames of a call chain. include/linux/bpf_verifier.h MAX_CALL_FRAMES */
export const MAX_CALL_FRAMES = 8
/** Tail calls of one run. include/linux/bpf.h */
export const MAX_TAIL_CALL_CNT = 33
/** Subprograms of one program. include/linux/bpf_verifier.h */
export const BPF_MAX_SUBPROGS = 256
/** Maps that one program uses. kernel/bpf/verifier.c */
export const MAX_USED_MAPS = 64
/** BTF objects (modules) whose kfuncs or variables one program uses. kernel/bpf/verifier.c */
export const MAX_USED_BTFS = 64
/** Different kfuncs of one program. kernel/bpf/verifier.c */
export const MAX_KFUNC_DESCS = 256
/** Different BTFs of kfuncs of one program. kernel/bpf/verifier.c */
export const MAX_KFUNC_BTFS = 256
/** Largest constant offset of a pointer, either sign. kernel/bpf/verifier.c */
export const BPF_MAX_VAR_OFF = 0x2000_0000
/** Largest size of a memory argument with a variable size. kernel/bpf/verifier.c */
export const BPF_MAX_VAR_SIZ = 0x2000_0000
/** Bytes of a program or map name with its zero. include/uapi/linux/bpf.h */
export const BPF_OBJ_NAME_LEN = 16
/** Bytes of a program's tag. include/uapi/linux/bpf.h */
export const BPF_TAG_SIZE = 8
/** Bytes of a build id. include/uapi/linux/bpf.h */
export const BPF_BUILD_ID_SIZE = 20
/** Iterations that bpf_loop() accepts. include/linux/bpf.h */
export const BPF_MAX_LOOPS = 8_388_608
/** Stored parts of a timed may_goto loop; the older limit of iterations. include/linux/bpf.h */
export const BPF_MAX_TIMED_LOOPS = 0xffff
/** Bytes of stack below which a call chain must stay when a subprogram in it makes tail calls. kernel/bpf/verifier.c check_max_stack_depth_subprog */
export const TAIL_CALL_CALLER_STACK = 256
/** Programs of one trampoline. include/linux/bpf.h BPF_MAX_TRAMP_LINKS */
export const BPF_MAX_TRAMP_LINKS = 38
/** Arguments of a helper or kfunc in registers. include/linux/bpf.h */
export const MAX_BPF_FUNC_REG_ARGS = 5
/** Arguments of a function that a trampoline can pass. include/linux/bpf.h */
export const MAX_BPF_FUNC_ARGS = 12
/** Bytes of the key of a hash map with a preallocated bucket copy: MAX_BPF_STACK. kernel/bpf/hashtab.c */
export const MAX_MAP_KEY_SIZE = 512
/** Bytes of an LPM trie key's data (after the prefix length). kernel/bpf/lpm_trie.c LPM_DATA_SIZE_MAX */
export const LPM_DATA_SIZE_MAX = 256
/** Programs of one cgroup and attach type. include/linux/bpf-cgroup.h BPF_CGROUP_MAX_PROGS */
export const BPF_CGROUP_MAX_PROGS = 64
/** Programs of one multi-program hook (tcx, netkit). include/linux/bpf_mprog.h */
export const BPF_MPROG_MAX = 64
/** Frames of a stack trace. include/linux/perf_event.h PERF_MAX_STACK_DEPTH */
export const PERF_MAX_STACK_DEPTH = 127
/** Bytes that a ring buffer record may have: the length field has 30 bits. kernel/bpf/ringbuf.c */
export const RINGBUF_MAX_RECORD_SZ = 0x3fff_ffff
/** Bytes of a ring buffer record's header. include/uapi/linux/bpf.h */
export const BPF_RINGBUF_HDR_SZ = 8
/** Bytes of a task's name with its zero. include/linux/sched.h */
export const TASK_COMM_LEN = 16
/** Bytes of the verifier log's user buffer: smallest and largest size. kernel/bpf/log.c */
export const BPF_LOG_SIZE_MIN = 128
export const BPF_LOG_SIZE_MAX = 0x3fff_ffff
/** Members of a BTF type, and the limits of ids and string offsets. include/uapi/linux/btf.h */
export const BTF_MAX_VLEN = 0xffff
export const BTF_MAX_TYPE = 0x000f_ffff
export const BTF_MAX_NAME_OFFSET = 0x00ff_ffff
/** Bytes of a BTF blob. kernel/bpf/btf.c BTF_MAX_SIZE */
export const BTF_MAX_SIZE = 16_777_216
