/**
 * The kernel interface: bpf(2) itself, as typed commands. The embedded kernel answers them
 * itself; the host kernel packs them into `union bpf_attr` and makes the system call. Nothing
 * above this file knows which of the two it has.
 *
 * Attributes carry the kernel's field names. Where Linux takes a pointer, an attribute takes a
 * byte string (or a JavaScript string for names and paths); where Linux writes through a pointer
 * or into the attribute, the command writes into the byte string given, or into the field marked
 * "out". A command returns what the system call returns: a file descriptor or 0, or a negative
 * errno. Nothing here throws for what the kernel refuses.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h, union bpf_attr; kernel/bpf/syscall.c.
 */

/** A file descriptor of this kernel: for the host a real one, for the embedded a number of its own. */
export type Fd = number

export interface MapCreateAttr {
  map_type: number
  key_size: number
  value_size: number
  max_entries: number
  map_flags?: number
  inner_map_fd?: Fd
  numa_node?: number
  /** At most 15 bytes of `[A-Za-z0-9_.]`. */
  map_name?: string
  map_ifindex?: number
  btf_fd?: Fd
  btf_key_type_id?: number
  btf_value_type_id?: number
  btf_vmlinux_value_type_id?: number
  map_extra?: bigint
  value_type_btf_obj_fd?: Fd
  map_token_fd?: Fd
}

/** MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, MAP_DELETE_ELEM, MAP_LOOKUP_AND_DELETE_ELEM. */
export interface MapElemAttr {
  map_fd: Fd
  /** Absent for queues, stacks and bloom filters. */
  key?: Uint8Array
  /**
   * Read by UPDATE, written by LOOKUP. For a per-CPU map: one value per possible CPU, each padded
   * to a multiple of 8 bytes.
   */
  value?: Uint8Array
  flags?: bigint
}

export interface MapGetNextKeyAttr {
  map_fd: Fd
  /** Absent: the first key. */
  key?: Uint8Array
  /** out: `key_size` bytes. */
  next_key: Uint8Array
}

/** MAP_LOOKUP_BATCH, MAP_LOOKUP_AND_DELETE_BATCH, MAP_UPDATE_BATCH, MAP_DELETE_BATCH. */
export interface MapBatchAttr {
  map_fd: Fd
  /** Where to go on: what `out_batch` held after the last call; absent at the start. */
  in_batch?: Uint8Array
  /** out: opaque position, `max(key_size, 4)` bytes. */
  out_batch?: Uint8Array
  keys: Uint8Array
  values?: Uint8Array
  /** in: capacity in elements; out: elements done, also when the command fails. */
  count: number
  elem_flags?: bigint
  flags?: bigint
}

export interface ProgLoadAttr {
  prog_type: number
  /** 8 bytes a slot, little-endian on every kernel we run on. */
  insns: Uint8Array
  license: string
  log_level?: number
  /** out: the log as text, zero-terminated if it is shorter than the buffer. */
  log_buf?: Uint8Array
  /** out: bytes that the whole log needs, including the terminating zero. */
  log_true_size?: number
  kern_version?: number
  prog_flags?: number
  prog_name?: string
  prog_ifindex?: number
  expected_attach_type?: number
  prog_btf_fd?: Fd
  /** `{ insn_off: u32, type_id: u32 }` records, little-endian. */
  func_info?: Uint8Array
  func_info_rec_size?: number
  /** `{ insn_off, file_name_off, line_off, line_col }` records of u32. */
  line_info?: Uint8Array
  line_info_rec_size?: number
  attach_btf_id?: number
  attach_prog_fd?: Fd
  attach_btf_obj_fd?: Fd
  fd_array?: readonly Fd[]
  core_relos?: Uint8Array
  core_relo_rec_size?: number
  prog_token_fd?: Fd
}

export interface ObjPinAttr {
  pathname: string
  bpf_fd: Fd
  file_flags?: number
  path_fd?: Fd
}

export interface ObjGetAttr {
  pathname: string
  file_flags?: number
  path_fd?: Fd
}

export interface ProgAttachAttr {
  target_fd?: Fd
  target_ifindex?: number
  attach_bpf_fd?: Fd
  attach_type: number
  attach_flags?: number
  replace_bpf_fd?: Fd
  relative_fd?: Fd
  relative_id?: number
  expected_revision?: bigint
}

export interface ProgTestRunAttr {
  prog_fd: Fd
  /** out */
  retval?: number
  data_in?: Uint8Array
  /** out: filled up to `data_size_out`. */
  data_out?: Uint8Array
  /** out: bytes of the resulting packet, even if `data_out` was too small (then -ENOSPC). */
  data_size_out?: number
  repeat?: number
  /** out: nanoseconds of one run, on average. */
  duration?: number
  ctx_in?: Uint8Array
  ctx_out?: Uint8Array
  /** out */
  ctx_size_out?: number
  flags?: number
  cpu?: number
  batch_size?: number
}

/** PROG_GET_NEXT_ID, MAP_GET_NEXT_ID, BTF_GET_NEXT_ID, LINK_GET_NEXT_ID. */
export interface GetNextIdAttr {
  start_id: number
  /** out */
  next_id?: number
}

/** PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID, BTF_GET_FD_BY_ID, LINK_GET_FD_BY_ID. */
export interface GetFdByIdAttr {
  id: number
  open_flags?: number
}

export interface ObjGetInfoByFdAttr {
  bpf_fd: Fd
  /**
   * out: `struct bpf_prog_info`, `bpf_map_info`, `bpf_btf_info` or `bpf_link_info`, cut at the
   * size of the buffer. The pointers inside it are given and taken by `arrays`.
   */
  info: Uint8Array
  /** out: bytes written. */
  info_len?: number
  /**
   * Buffers for the arrays that the info points to, by field name (`xlated_prog_insns`,
   * `map_ids`, `jited_prog_insns`, `func_info`, `line_info`, `btf`, `name`…); the counts are in
   * the info itself.
   */
  arrays?: Readonly<Record<string, Uint8Array>>
}

export interface ProgQueryAttr {
  target_fd?: Fd
  target_ifindex?: number
  attach_type: number
  query_flags?: number
  /** out */
  attach_flags?: number
  /** out: as many u32 as fit; `prog_cnt` says how many there are. */
  prog_ids?: Uint32Array
  link_ids?: Uint32Array
  prog_attach_flags?: Uint32Array
  link_attach_flags?: Uint32Array
  /** in: capacity; out: count. */
  prog_cnt?: number
  /** out */
  revision?: bigint
}

export interface RawTracepointOpenAttr {
  /** Absent for programs whose target was fixed at load (tp_btf, fentry, LSM). */
  name?: string
  prog_fd: Fd
  cookie?: bigint
}

export interface BtfLoadAttr {
  btf: Uint8Array
  btf_log_buf?: Uint8Array
  btf_log_level?: number
  /** out */
  btf_log_true_size?: number
  btf_flags?: number
  btf_token_fd?: Fd
}

export interface LinkCreateAttr {
  prog_fd: Fd
  target_fd?: Fd
  target_ifindex?: number
  attach_type: number
  flags?: number
  /** Iterators: `union bpf_iter_link_info`. */
  iter_info?: Uint8Array
  target_btf_id?: number
  perf_event?: { bpf_cookie: bigint }
  kprobe_multi?: {
    flags?: number
    syms?: readonly string[]
    addrs?: readonly bigint[]
    cookies?: readonly bigint[]
  }
  uprobe_multi?: {
    path: string
    offsets: readonly bigint[]
    ref_ctr_offsets?: readonly bigint[]
    cookies?: readonly bigint[]
    flags?: number
    pid?: number
  }
  tracing?: { target_btf_id?: number; cookie?: bigint }
  netfilter?: { pf: number; hooknum: number; priority: number; flags?: number }
  /** TCX, netkit and cgroup ordering. */
  relative?: { fd?: Fd; id?: number; expected_revision?: bigint }
}

export interface LinkUpdateAttr {
  link_fd: Fd
  new_prog_fd?: Fd
  new_map_fd?: Fd
  flags?: number
  old_prog_fd?: Fd
  old_map_fd?: Fd
}

/** The commands by name, each with the attributes it takes. */
export interface Commands {
  MAP_CREATE: MapCreateAttr
  MAP_LOOKUP_ELEM: MapElemAttr
  MAP_UPDATE_ELEM: MapElemAttr
  MAP_DELETE_ELEM: MapElemAttr
  MAP_GET_NEXT_KEY: MapGetNextKeyAttr
  PROG_LOAD: ProgLoadAttr
  OBJ_PIN: ObjPinAttr
  OBJ_GET: ObjGetAttr
  PROG_ATTACH: ProgAttachAttr
  PROG_DETACH: ProgAttachAttr
  PROG_TEST_RUN: ProgTestRunAttr
  PROG_GET_NEXT_ID: GetNextIdAttr
  MAP_GET_NEXT_ID: GetNextIdAttr
  PROG_GET_FD_BY_ID: GetFdByIdAttr
  MAP_GET_FD_BY_ID: GetFdByIdAttr
  OBJ_GET_INFO_BY_FD: ObjGetInfoByFdAttr
  PROG_QUERY: ProgQueryAttr
  RAW_TRACEPOINT_OPEN: RawTracepointOpenAttr
  BTF_LOAD: BtfLoadAttr
  BTF_GET_FD_BY_ID: GetFdByIdAttr
  TASK_FD_QUERY: { pid: number; fd: number; flags?: number }
  MAP_LOOKUP_AND_DELETE_ELEM: MapElemAttr
  MAP_FREEZE: { map_fd: Fd }
  BTF_GET_NEXT_ID: GetNextIdAttr
  MAP_LOOKUP_BATCH: MapBatchAttr
  MAP_LOOKUP_AND_DELETE_BATCH: MapBatchAttr
  MAP_UPDATE_BATCH: MapBatchAttr
  MAP_DELETE_BATCH: MapBatchAttr
  LINK_CREATE: LinkCreateAttr
  LINK_UPDATE: LinkUpdateAttr
  LINK_GET_FD_BY_ID: GetFdByIdAttr
  LINK_GET_NEXT_ID: GetNextIdAttr
  ENABLE_STATS: { type: number }
  ITER_CREATE: { link_fd: Fd; flags?: number }
  LINK_DETACH: { link_fd: Fd }
  PROG_BIND_MAP: { prog_fd: Fd; map_fd: Fd; flags?: number }
  TOKEN_CREATE: { bpffs_fd: Fd; flags?: number }
  PROG_STREAM_READ_BY_FD: { stream_buf: Uint8Array; stream_id: number; prog_fd: Fd }
}

export type CommandName = keyof Commands

/**
 * A ring buffer as its consumer sees it: the two position counters and the data area, mapped
 * twice in a row so that a record is always contiguous
 * (linux v6.18 kernel/bpf/ringbuf.c; record header: u32 length with busy bit 31 and discard bit
 * 30, u32 page offset).
 */
export interface RingView {
  /** Bytes of the data area, a power of two. */
  readonly size: number
  /** `2 * size` bytes. Read afresh at each use: memory may have grown. */
  data(): Uint8Array
  /** Positions count bytes since creation; only the low 53 bits are kept. */
  producerPosition(): number
  consumerPosition(): number
  /** Hands everything before `position` back to the kernel. */
  setConsumerPosition(position: number): void
}

/** One CPU's perf ring: the records of PERF_RECORD_SAMPLE / _LOST that programs wrote. */
export interface PerfRing {
  readonly cpu: number
  /** Calls back for each record there is, oldest first; the bytes are valid during the call. */
  drain(onSample: (data: Uint8Array) => void, onLost: (count: number) => void): void
}

/** Where a uprobe goes: a place in a file, for one process or for all. */
export interface UprobeTarget {
  readonly path: string
  /** Bytes from the start of the file. */
  readonly offset: bigint
  readonly onReturn: boolean
  /** Absent: every process that runs the file. */
  readonly pid?: number
  /** Offset of the semaphore that counts the probes of a USDT, or 0. */
  readonly refCtrOffset?: bigint
}

/** What of `struct perf_event_attr` a program can be attached to. */
export interface PerfEventAttr {
  /** PERF_TYPE_SOFTWARE is 1. */
  readonly type: number
  /** Software: PERF_COUNT_SW_CPU_CLOCK is 0, TASK_CLOCK 1, PAGE_FAULTS 2, CONTEXT_SWITCHES 3. */
  readonly config: bigint
  /** Nanoseconds for clocks, events otherwise; or, with `frequency`, samples a second. */
  readonly samplePeriod: bigint
  readonly frequency?: boolean
  /** Absent: any process. */
  readonly pid?: number
  /** -1 or absent: any CPU (then `pid` must be given). */
  readonly cpu?: number
}

/** What a kernel offers beside bpf(2): what libbpf does with mmap, ioctl, netlink and /sys. */
export interface KernelInterface {
  readonly kind: "embedded" | "linux"
  /** Values that a per-CPU map element has. */
  readonly possibleCpus: number
  /** One bpf(2) command. Returns a file descriptor or 0, or a negative errno. */
  bpf<C extends CommandName>(command: C, attr: Commands[C]): number
  /** Closes a file descriptor of this kernel. */
  close(fd: Fd): void
  /** The kernel's own types (`/sys/kernel/btf/vmlinux`), the target of CO-RE. */
  vmlinuxBtf(): Uint8Array | null
  /** Maps a BPF_MAP_TYPE_RINGBUF, or a negative errno. */
  openRing(mapFd: Fd): RingView | number
  /** Opens one CPU's perf ring and puts it into the map, or a negative errno. */
  openPerfRing(mapFd: Fd, cpu: number, pages: number): PerfRing | number
  /** Calls `onReadable` when the ring of `mapFd` has new records; returns the cancelling function. */
  watch(mapFd: Fd, onReadable: () => void): () => void
  /** The index of a network device, or 0. */
  interfaceIndex(name: string): number
  /** A file descriptor that stands for a cgroup (v2) directory, or a negative errno. */
  openCgroup(path: string): Fd
  /**
   * A file descriptor that stands for a network namespace, or a negative errno: `/run/netns/NAME`, or
   * `/proc/self/ns/net` for our own.
   */
  openNetns?(path: string): Fd
  /** A perf event for a tracepoint, to attach with LINK_CREATE, or a negative errno. */
  openTracepoint(group: string, name: string): Fd
  /** A perf event for the entry (or return) of a kernel function, or a negative errno. */
  openKprobe(symbol: string, onReturn: boolean): Fd
  /**
   * A perf event for the entry (or return) of a function of an executable, or a negative errno;
   * absent: this kernel has none.
   */
  openUprobe?(target: UprobeTarget): Fd
  /** File offset of a function of an executable, or undefined; absent: this kernel cannot say. */
  symbolOffset?(path: string, symbol: string): bigint | undefined
  /** File offset of a USDT probe, `provider:name`; absent: this kernel cannot say. */
  usdtOffset?(path: string, probe: string): bigint | undefined
  /** A counting or sampling perf event, or a negative errno; absent: this kernel has none. */
  openPerfEvent?(event: PerfEventAttr): Fd
  /** Reads an iterator's text: bytes read, 0 at the end, or a negative errno; absent: no iterators. */
  read?(fd: Fd, into: Uint8Array): number
  /** Address of a kernel symbol for `.ksyms` externs, or undefined. */
  kernelSymbol(name: string): bigint | undefined
  /** `CONFIG_X=…` of the kernel for `.kconfig` externs, or undefined. */
  kernelConfig(): ReadonlyMap<string, string>
  /** LINUX_VERSION_CODE: `(6 << 16) | (18 << 8) | 0`. */
  versionCode(): number
}
