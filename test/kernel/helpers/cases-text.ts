/** Formatting, and reading memory that may not be there. */

import { udp4 } from "../testrun/packets.ts"
import { constant } from "./cases-maps.ts"
import { frame, type HelperCase, program, quads, save, saveStack, string } from "./macros.ts"

const SOCKET = "BPF_PROG_TYPE_SOCKET_FILTER"
const RAW = "BPF_PROG_TYPE_RAW_TRACEPOINT"
const input = { data: udp4, room: 0 }
const noInput = { room: 0 }

type Argument =
  | number
  | bigint
  | { readonly string: string }
  | { readonly bytes: readonly number[] }

/** Puts arguments into the array at r10 - 128 and what they point to below it. */
function args(values: readonly Argument[]): string {
  return values
    .map((value, i) => {
      const at = -128 + 8 * i
      if (typeof value === "number") return `r1 = ${value}; *(u64 *)(r10 - ${-at}) = r1`
      if (typeof value === "bigint")
        return `r1 = ${BigInt.asUintN(64, value)} ll; *(u64 *)(r10 - ${-at}) = r1`
      const place = -160 - 40 * i
      const text = "string" in value ? value.string : String.fromCharCode(...value.bytes)
      return `${string(place, text)}; ${frame("r1", place)}; *(u64 *)(r10 - ${-at}) = r1`
    })
    .join("\n")
}

/** bpf_snprintf into `out` from slot 1 on. */
function format(text: string, values: readonly Argument[], size = 120): HelperCase {
  return {
    name: `snprintf ${JSON.stringify(text)}${size === 120 ? "" : ` in ${size} bytes`}`,
    program: program(
      RAW,
      `${args(values)}
       r1 = r9; r1 += 8; r2 = ${size}; r3 = map[fmt][0]
       ${values.length === 0 ? "r4 = 0" : frame("r4", -128)}
       r5 = ${8 * values.length}
       call bpf_snprintf
       ${save(0)}
       r0 = 0`,
      { maps: { fmt: constant(text) } },
    ),
    input: noInput,
  }
}

const formats: readonly HelperCase[] = [
  format("plain", []),
  format("", []),
  format("100%%", []),
  format("%d %i %u", [-5, -6, 7]),
  format("%d %u %x %X", [0xffffffffn, 0xffffffffn, 0xdeadbeefn, 0xdeadbeefn]),
  format("%d", [0x1_0000_0005n]),
  format("%ld %lu %lx", [-5n, -5n, -5n]),
  format("%lld %llu %llx %llX", [-5n, -5n, 0xabcdef0123456789n, 0xabcdef0123456789n]),
  format("[%5d][%-5d][%05d][%+d][% d]", [42, 42, 42, 42, 42]),
  format("[%5d][%-5d][%05d][%+5d][%-+5d]", [-42, -42, -42, 42, 42]),
  format("[%8x][%-8x][%08x][%1x]", [0xabcn, 0xabcn, 0xabcn, 0xabcn]),
  format("[%0-5d][%-05d][% 05d]", [42, 42, 42]),
  format("%c%c%c", [65, 66, 0x143]),
  format("[%3c][%-3c]", [65, 66]),
  format("%s and %s", [{ string: "one" }, { string: "two" }]),
  format("[%6s][%-6s][%2s]", [{ string: "abc" }, { string: "abc" }, { string: "abc" }]),
  format("%s", [0]),
  format("%s", [12345]),
  format("%pks", [{ string: "kernel" }]),
  format("%pks|%pks", [{ string: "a" }, { string: "b" }]),
  format("%pus", [{ string: "user" }]),
  format("%pI4 %pi4", [{ bytes: [10, 0, 0, 1] }, { bytes: [10, 0, 0, 1] }]),
  format("%pI6 %pi6", [
    { bytes: [0x20, 1, 0xd, 0xb8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] },
    { bytes: [0x20, 1, 0xd, 0xb8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] },
  ]),
  format("%pI4.", [0]),
  format("%pI4h", [{ bytes: [10, 0, 0, 1] }]),
  format("%px", [0xffff888012345678n]),
  format("%px %px", [0, 1]),
  format("[%20px][%-20px]", [0xffff888012345678n, 0xffff888012345678n]),
  format("%p", [0]),
  format("%p", [-1n]),
  format("%pK", [0]),
  format("%ps %pS %pB", [0x1000n, 0x1000n, 0x1000n]),
  format("[%12ps]", [0x1000n]),
  format("%d", [1, 2]),
  format("%5s|", [{ string: "x" }]),
  format("tab\tnewline\n", []),
  format("caf\xc3\xa9 %d", [5]),
  format("%d %d %d %d %d %d %d %d %d %d %d %d", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  format("too long for the room: %d", [12345], 10),
  format("no room: %d", [12345], 1),
  format("%s%d%s%lld", [{ string: "odd" }, 7, { string: "xy" }, 8n]),
  format("%200d", [7]),
]

/** Only return values: the text goes to trace_pipe. */
function trace(text: string, values: readonly number[]): HelperCase {
  return {
    name: `trace_printk ${JSON.stringify(text)}`,
    program: program(
      RAW,
      `${string(-64, text)}; ${frame("r1", -64)}; r2 = ${text.length + 1}
       r3 = ${values[0] ?? 0}; r4 = ${values[1] ?? 0}; r5 = ${values[2] ?? 0}
       call bpf_trace_printk; ${save(0)}; r0 = 0`,
    ),
    input: noInput,
  }
}

const traces: readonly HelperCase[] = [
  trace("hello", []),
  trace("hello %d\n", [5]),
  trace("%d %d %d", [1, 2, 3]),
  trace("%d %d %d %d", [1, 2, 3]),
  trace("%s", [0]),
  trace("%q", [0]),
  {
    name: "trace_printk of a format without an end",
    program: program(
      RAW,
      `${string(-64, "hello")}; ${frame("r1", -64)}; r2 = 5; call bpf_trace_printk; ${save(0)}; r0 = 0`,
    ),
    input: noInput,
  },
  ...[
    "%d %d %d",
    "text %",
    "%",
    "%o",
    "%#x",
    "%5",
    "%f",
    "%ln",
    "%lllu",
    "%hd",
    "%sx",
    "%pz",
    "%pI5",
    "%.3d",
    "bell\x07",
    "caf\xc3\xa9",
    "%\xc3",
    "100%%",
  ].map(
    (text): HelperCase => ({
      name: `trace_vprintk ${JSON.stringify(text)} with two arguments`,
      program: program(
        RAW,
        `${quads(-128, 1, 2)}; ${string(-64, text)}; ${frame("r1", -64)}; r2 = ${text.length + 1}
         ${frame("r3", -128)}; r4 = 16; call bpf_trace_vprintk; ${save(0)}; r0 = 0`,
      ),
      input: noInput,
    }),
  ),
  ...[0, 8, 12, 96, 104].map(
    (size): HelperCase => ({
      name: `trace_vprintk with ${size} bytes of arguments`,
      program: program(
        RAW,
        `${quads(-128, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)}
         ${string(-24, "%d %d")}; ${frame("r1", -24)}; r2 = 6
         ${frame("r3", -128)}; r4 = ${size}; call bpf_trace_vprintk; ${save(0)}; r0 = 0`,
      ),
      input: noInput,
    }),
  ),
]

// ---- reading ---------------------------------------------------------------------------------------

const READS = ["probe_read", "probe_read_kernel", "probe_read_user"] as const

/** Where to read from: the program's own stack, and addresses that are none. */
const PLACES: readonly (readonly [name: string, text: string])[] = [
  ["the stack", frame("r3", -64)],
  ["NULL", "r3 = 0"],
  ["a small number", "r3 = 4097"],
  ["a user address", "r3 = 0x7f0000000000 ll"],
  ["a hole between the halves", "r3 = 0x8000000000000000 ll"],
  ["-1", "r3 = -1"],
  ["-4096", "r3 = -4096"],
]

const probes: readonly HelperCase[] = [
  ...READS.flatMap((helper) =>
    PLACES.map(
      ([place, text]): HelperCase => ({
        name: `${helper} of ${place}`,
        program: program(
          RAW,
          `${string(-64, "0123456789abcde")}; ${quads(-32, 7, 7)}
           ${frame("r1", -32)}; r2 = 16; ${text}; call bpf_${helper}
           ${save(0)}; ${saveStack(1, -32, 16)}; r0 = 0`,
        ),
        input: noInput,
      }),
    ),
  ),
  ...READS.flatMap((helper) =>
    PLACES.map(
      ([place, text]): HelperCase => ({
        name: `${helper}_str of ${place}`,
        program: program(
          RAW,
          `${string(-64, "0123456789")}; ${quads(-32, 7, 7)}
           ${frame("r1", -32)}; r2 = 16; ${text}; call bpf_${helper}_str
           ${save(0)}; ${saveStack(1, -32, 16)}; r0 = 0`,
        ),
        input: noInput,
      }),
    ),
  ),
  ...["probe_read_kernel_str", "probe_read_kernel"].flatMap((helper) =>
    [0, 1, 4, 10, 11, 16].map(
      (size): HelperCase => ({
        name: `${helper} into ${size} bytes`,
        program: program(
          RAW,
          `${string(-64, "0123456789")}; ${quads(-32, -1, -1)}
           ${frame("r1", -32)}; r2 = ${size}; ${frame("r3", -64)}; call bpf_${helper}
           ${save(0)}; ${saveStack(1, -32, 16)}; r0 = 0`,
        ),
        input: noInput,
      }),
    ),
  ),
]

const more: readonly HelperCase[] = [
  {
    name: "get_current_comm is padded with zeros",
    program: program(
      SOCKET,
      `${quads(-32, -1, -1, -1)}; ${frame("r1", -32)}; r2 = 4; call bpf_get_current_comm; ${save(0)}
       r0 = *(u8 *)(r10 - 29); ${save(1)}; r0 = *(u8 *)(r10 - 28); ${save(2)}; r0 = 0`,
    ),
    input,
  },
  {
    name: "get_current_uid_gid of root",
    program: program("BPF_PROG_TYPE_SCHED_CLS", `call bpf_get_current_uid_gid; ${save(0)}; r0 = 0`),
    input: { data: udp4 },
  },
  {
    name: "clocks never stand at zero, and boot time is not before monotonic time",
    program: program(
      SOCKET,
      `call bpf_ktime_get_ns; r7 = r0; call bpf_ktime_get_boot_ns; r1 = 1
       if r0 >= r7 goto fine; r1 = 0; fine: ${save(0, "r1")}
       r1 = 1; if r7 != 0 goto good; r1 = 0; good: ${save(1, "r1")}; r0 = 0`,
    ),
    input,
  },
]

export const textCases: readonly HelperCase[] = [...formats, ...traces, ...probes, ...more]
