/**
 * Program types: with which attach types they are loaded, and what PROG_TEST_RUN says to
 * them, on both kernels.
 */

import { describe, expect, test } from "vitest"
import { assemble } from "../../src/isa/index.ts"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { createLinuxKernel } from "../../src/linux/index.ts"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, ERRNO } from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { runOnBoth } from "./command-script.ts"

const P = BPF_PROG_TYPE
const A = BPF_ATTACH_TYPE

/** What a type is loaded with; 0 stands for types that do not look at it. */
const TYPES: readonly (readonly [name: string, type: number, attachTypes: readonly number[]])[] = [
  ["socket_filter", P.BPF_PROG_TYPE_SOCKET_FILTER, [0]],
  ["sched_cls", P.BPF_PROG_TYPE_SCHED_CLS, [0, A.BPF_TCX_INGRESS, A.BPF_TCX_EGRESS]],
  ["sched_act", P.BPF_PROG_TYPE_SCHED_ACT, [0]],
  ["xdp", P.BPF_PROG_TYPE_XDP, [0, A.BPF_XDP, A.BPF_XDP_DEVMAP, A.BPF_XDP_CPUMAP]],
  ["perf_event", P.BPF_PROG_TYPE_PERF_EVENT, [0]],
  ["cgroup_skb", P.BPF_PROG_TYPE_CGROUP_SKB, [0, 1, 2]],
  [
    "cgroup_sock",
    P.BPF_PROG_TYPE_CGROUP_SOCK,
    [
      A.BPF_CGROUP_INET_SOCK_CREATE,
      A.BPF_CGROUP_INET_SOCK_RELEASE,
      A.BPF_CGROUP_INET4_POST_BIND,
      A.BPF_CGROUP_INET6_POST_BIND,
      A.BPF_CGROUP_DEVICE,
    ],
  ],
  ["lwt_in", P.BPF_PROG_TYPE_LWT_IN, [0]],
  ["lwt_out", P.BPF_PROG_TYPE_LWT_OUT, [0]],
  ["lwt_xmit", P.BPF_PROG_TYPE_LWT_XMIT, [0]],
  ["sock_ops", P.BPF_PROG_TYPE_SOCK_OPS, [0, A.BPF_CGROUP_SOCK_OPS]],
  ["sk_skb", P.BPF_PROG_TYPE_SK_SKB, [A.BPF_SK_SKB_STREAM_PARSER, A.BPF_SK_SKB_VERDICT]],
  ["cgroup_device", P.BPF_PROG_TYPE_CGROUP_DEVICE, [0, A.BPF_CGROUP_DEVICE]],
  ["sk_msg", P.BPF_PROG_TYPE_SK_MSG, [0, A.BPF_SK_MSG_VERDICT]],
  ["raw_tracepoint", P.BPF_PROG_TYPE_RAW_TRACEPOINT, [0]],
  [
    "cgroup_sock_addr",
    P.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    [
      ...[A.BPF_CGROUP_INET4_BIND, A.BPF_CGROUP_INET6_BIND, A.BPF_CGROUP_INET4_CONNECT],
      ...[A.BPF_CGROUP_INET6_CONNECT, A.BPF_CGROUP_UDP4_SENDMSG, A.BPF_CGROUP_UDP6_RECVMSG],
      ...[A.BPF_CGROUP_INET4_GETPEERNAME, A.BPF_CGROUP_UNIX_CONNECT, A.BPF_CGROUP_DEVICE],
    ],
  ],
  ["lwt_seg6local", P.BPF_PROG_TYPE_LWT_SEG6LOCAL, [0]],
  ["sk_reuseport", P.BPF_PROG_TYPE_SK_REUSEPORT, [0, A.BPF_SK_REUSEPORT_SELECT]],
  ["flow_dissector", P.BPF_PROG_TYPE_FLOW_DISSECTOR, [0, A.BPF_FLOW_DISSECTOR]],
  ["cgroup_sysctl", P.BPF_PROG_TYPE_CGROUP_SYSCTL, [0, A.BPF_CGROUP_SYSCTL]],
  ["raw_tracepoint_writable", P.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, [0]],
  [
    "cgroup_sockopt",
    P.BPF_PROG_TYPE_CGROUP_SOCKOPT,
    [A.BPF_CGROUP_GETSOCKOPT, A.BPF_CGROUP_SETSOCKOPT, A.BPF_CGROUP_DEVICE],
  ],
  ["sk_lookup", P.BPF_PROG_TYPE_SK_LOOKUP, [A.BPF_SK_LOOKUP, 0]],
  ["netfilter", P.BPF_PROG_TYPE_NETFILTER, [A.BPF_NETFILTER, 0]],
  // Without a target: this says that they want one.
  ["tracing", P.BPF_PROG_TYPE_TRACING, [A.BPF_TRACE_FENTRY, A.BPF_TRACE_RAW_TP]],
  ["lsm", P.BPF_PROG_TYPE_LSM, [A.BPF_LSM_MAC]],
]

/** Types that the embedded kernel takes, so that objects with them load, and that nothing runs. */
const TAKEN: readonly (readonly [name: string, type: number, attachType: number])[] = [
  ["struct_ops", P.BPF_PROG_TYPE_STRUCT_OPS, 0],
  ["lirc_mode2", P.BPF_PROG_TYPE_LIRC_MODE2, A.BPF_LIRC_MODE2],
]

/** Types that only Linux runs in a test. */
const RUN_LATER: readonly string[] = ["netfilter"]

/** What programs of every type may return. */
const { bytes: RETURN_1 } = assemble("r0 = 1; exit")

describeWith([requirement.linux()], "program types on both kernels", () => {
  const linux = createLinuxKernel()
  for (const [name, prog_type, attachTypes] of TYPES)
    test(`${name}: attach types and test runs`, (context) => {
      const guest = createEmbeddedKernel({ cpus: 2 })
      try {
        const [ours, theirs] = runOnBoth([guest, linux], (script) => {
          for (const expected_attach_type of attachTypes) {
            script.note(`attach type ${expected_attach_type}`)
            const attr = { prog_type, expected_attach_type, insns: RETURN_1, license: "GPL" }
            const prog_fd = script.call("PROG_LOAD", attr)
            if (prog_fd < 0) continue
            if (RUN_LATER.includes(name)) continue
            const data_in = new Uint8Array(64)
            const run = { prog_fd, data_in, data_out: new Uint8Array(128), retval: 0 }
            script.call("PROG_TEST_RUN", run)
            script.note(run.retval)
          }
        })
        if (theirs.some((line) => line.includes("EPERM")))
          context.skip(`this Linux permits no ${name} programs at all`)
        expect(ours).toEqual(theirs)
      } finally {
        guest.dispose()
      }
    })
})

describe("program types that the embedded kernel only takes", () => {
  test.each(TAKEN)("%s: loaded, not run", (_, prog_type, expected_attach_type) => {
    const kernel = createEmbeddedKernel()
    try {
      const attr = { prog_type, expected_attach_type, insns: RETURN_1, license: "GPL" }
      const prog_fd = kernel.bpf("PROG_LOAD", attr)
      expect(prog_fd).toBeGreaterThan(0)
      expect(kernel.bpf("PROG_TEST_RUN", { prog_fd })).toBe(-ERRNO.ENOTSUPP)
    } finally {
      kernel.dispose()
    }
  })
})
