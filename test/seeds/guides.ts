/**
 * What the guides promise: every C program in them, with the words of the guide that say what it
 * does and a piece of its code by which it is found there. The programs lie in `programs/`,
 * repaired where they never compiled (each says how). Guides are found by the start of their
 * file's name, in `../shared/seeds`.
 */

/** One program, or one group of map definitions, of one guide or of several. */
export interface Seed {
  /** Of `programs/NAME.bpf.c` and `.o`. */
  readonly program: string
  /** Guides that have it. */
  readonly guides: readonly Guide[]
  /** Functions and maps that the guides define and this program has. */
  readonly defines: readonly string[]
  /** Code as each of the guides has it, without regard to white space. */
  readonly snippet: string
  /** What the text says, in its words where they are English. */
  readonly promise: string
  /**
   * What Linux says to it. `lsm`: loads where LSM programs may be loaded at all; `huge`: takes 700
   * MB, so it is loaded with a smaller map.
   */
  readonly linux: "loads" | "refuses" | "lsm" | "huge"
}

export type Guide = "000" | "002" | "003" | "004"

export const SEEDS: readonly Seed[] = [
  {
    program: "count_read",
    guides: ["000"],
    defines: ["count_read"],
    snippet: "int count_read(struct pt_regs *ctx)",
    promise: "Example: Count syscalls",
    linux: "loads",
  },
  {
    program: "trace_sys_enter",
    guides: ["000"],
    defines: ["trace_sys_enter", "counts"],
    snippet: "u64 *p = counts.lookup_or_init(&pid, &empty); (*p)++;",
    promise: "Count syscalls by process",
    linux: "loads",
  },
  {
    program: "xdp_drop_browsers",
    guides: ["000"],
    defines: ["xdp_drop_browsers"],
    snippet: "if (ntohs(tcp->dest) == 80 || ntohs(tcp->dest) == 443) { return XDP_DROP; }",
    promise: "Drop traffic to HTTP (port 80) or HTTPS (443)",
    linux: "loads",
  },
  {
    program: "bug_prog",
    guides: ["000"],
    defines: ["bug_prog"],
    snippet: "int bug_prog(struct pt_regs *ctx) { while (1) { }",
    promise: "eBPF verifier rejects programs with infinite loops",
    linux: "refuses",
  },
  {
    program: "good_prog",
    guides: ["000"],
    defines: ["good_prog"],
    snippet: "if (count < 1000) { // Bounded loop count++; }",
    promise: "Always have termination conditions",
    linux: "loads",
  },
  {
    program: "map_too_large",
    guides: ["000"],
    defines: ["my_hash"],
    snippet: ".max_entries = 10000000, // Way too large",
    promise: "Excessive map sizes waste memory and may fail to load",
    linux: "huge",
  },
  {
    program: "map_limits",
    guides: ["000"],
    defines: ["my_hash"],
    snippet: ".max_entries = 10000, // Reasonable for use case",
    promise: "Size appropriately",
    linux: "loads",
  },
  {
    program: "trace_exec",
    guides: ["002"],
    defines: ["trace_exec"],
    snippet: "int trace_exec(void *ctx) { // Capture process information",
    promise: "Monitor process executions",
    linux: "loads",
  },
  {
    program: "lsm_file_open",
    guides: ["002"],
    defines: ["lsm_file_open"],
    snippet: "return allow ? 0 : -EPERM;",
    promise: "Block suspicious file operations",
    linux: "lsm",
  },
  {
    program: "xdp_load_balancer",
    guides: ["002"],
    defines: ["xdp_load_balancer"],
    snippet:
      "int xdp_load_balancer(struct xdp_md *ctx) { // Packet processing logic return XDP_PASS;",
    promise: "Load balancer",
    linux: "loads",
  },
  {
    program: "trace_open_entry",
    guides: ["002"],
    defines: ["trace_open_entry"],
    snippet: "int trace_open_entry(struct pt_regs *ctx) { // Record entry timestamp",
    promise: "Function latency tracking",
    linux: "loads",
  },
  {
    program: "guide_maps",
    guides: ["002"],
    defines: ["my_map", "counters", "events"],
    snippet: "__uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 24); } events",
    promise:
      "Key-value storage for arbitrary data; Fixed-size indexed storage; " +
      "Efficient event streaming to userspace",
    linux: "loads",
  },
  {
    program: "pkt_count",
    guides: ["003"],
    defines: ["pkt_count"],
    snippet: "__u64 one = 1; bpf_map_update_elem(&pkt_count, &src_ip, &one, BPF_ANY);",
    promise: "src IP → packet count",
    linux: "loads",
  },
  {
    program: "lpm_blocklist",
    guides: ["003"],
    defines: [],
    snippet: "struct lpm_key key16 = { .prefixlen = 16, .data = {192, 168, 0, 0} };",
    promise: "Any packet with src in 192.168.0.0/16 matches!",
    linux: "loads",
  },
  {
    program: "xdp_firewall",
    guides: ["003"],
    defines: ["xdp_firewall_prog", "blocklist", "pkt_stats"],
    snippet: "if (blocked && *blocked == 1) return XDP_DROP; return XDP_PASS;",
    promise: "drop packets from blocked IPs using BPF hash map",
    linux: "loads",
  },
  {
    program: "mark_voip",
    guides: ["003"],
    defines: ["mark_voip"],
    snippet: "(dport == 5060 || (dport >= 10000 && dport <= 20000))",
    promise: "Mark SIP (UDP 5060) and RTP (ports 10000-20000) for EF DSCP",
    linux: "loads",
  },
  {
    program: "xdp_redirect_to_xsk",
    guides: ["003"],
    defines: ["xdp_redirect_to_xsk", "xsks_map"],
    snippet: "return bpf_redirect_map(&xsks_map, queue, XDP_PASS); return XDP_PASS;",
    promise: "XDP program to steer traffic to AF_XDP socket",
    linux: "loads",
  },
  {
    program: "xdp_counter",
    guides: ["003"],
    defines: [],
    snippet: "xdp_counter.c with the BPF_MAP_TYPE_PERCPU_HASH for per-IP counters",
    promise: "counts packets per source IP and drops packets from a blocklist",
    linux: "loads",
  },
  {
    program: "syscall_count",
    guides: ["004"],
    defines: ["syscall_count"],
    snippet: "__uint(max_entries, 10240); } syscall_count",
    promise: "counting syscalls per PID",
    linux: "loads",
  },
  {
    program: "hello",
    guides: ["004"],
    defines: ["hello"],
    snippet: "int hello(void *ctx) { bpf_trace_printk",
    promise: "tracing the openat system call (in Korean)",
    linux: "loads",
  },
  {
    program: "handle_openat",
    guides: ["004"],
    defines: ["handle_openat"],
    snippet: 'bpf_printk("openat by %s\\n", comm);',
    promise: "libbpf example: tracing openat()",
    linux: "loads",
  },
  {
    program: "xdp_drop_blocked_ip",
    guides: ["004"],
    defines: ["xdp_drop_blocked_ip"],
    snippet: "if (ip->saddr == htonl(0x01020304)) return XDP_DROP;",
    promise: "XDP example: blocking a certain IP, 1.2.3.4 (in Korean)",
    linux: "loads",
  },
  {
    program: "handle_unlinkat",
    guides: ["004"],
    defines: ["handle_unlinkat"],
    snippet: 'bpf_printk("unlink by pid %d\\n", pid);',
    promise: "A single compiled .o file works on kernels 5.4 to 6.5",
    linux: "loads",
  },
]
