/**
 * The commands that loading sends, seen by a kernel that records them; and what becomes of
 * refusals, at every place where a kernel can refuse.
 */

import { readdirSync } from "node:fs"
import { expect, test } from "vitest"
import { BpfError, VerifierError } from "../../src/base/index.ts"
import { BtfBuilder, readBtf, validateBtf } from "../../src/btf/index.ts"
import { decodeProgram } from "../../src/isa/instruction.ts"
import { loadObject } from "../../src/loader/index.ts"
import { type BpfObject, findProgram, readObject } from "../../src/object/index.ts"
import { fixtures, objectBytes } from "../object/corpus.ts"
import { FakeKernel } from "./fake-kernel.ts"

function read(name: string): BpfObject {
  return readObject(objectBytes(name), { name })
}

/** Objects that need no clang. */
const basic = () => read("basic.clang19.o")
const maps = () => read("maps.clang19.o")
const externs = () => read("externs.clang19.o")

/** Kernel types with everything that the corpus asks of a kernel. */
function kernelTypes(): Uint8Array {
  const builder = new BtfBuilder()
  const int = builder.int("int", 4, "signed")
  const nothing = builder.add({
    kind: "func_proto",
    name: "",
    returnType: 0,
    params: [],
    variadic: false,
  })
  const func = (name: string) =>
    builder.add({ kind: "func", name, type: nothing, linkage: "static" })
  for (const name of ["bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_fentry_test1"]) func(name)
  func("bpf_lsm_bprm_committed_creds")
  builder.add({ kind: "typedef", name: "btf_trace_sys_enter", type: builder.ptr(nothing) })
  const rq = builder.struct("rq", 4, [{ name: "cpu", type: int, bitOffset: 0, bitSize: 0 }])
  builder.add({ kind: "var", name: "runqueues", type: rq, linkage: "global" })
  return builder.build()
}

function kernelWithTypes(): FakeKernel {
  const kernel = new FakeKernel()
  kernel.types = kernelTypes()
  kernel.symbols.set("schedule", 0xffffffff_81234560n)
  kernel.config = new Map([
    ["CONFIG_BPF_SYSCALL", "y"],
    ["CONFIG_HZ", "250"],
    ["CONFIG_BPF", "m"],
    ["CONFIG_DEFAULT_HOSTNAME", '"(none)"'],
  ])
  return kernel
}

test("types, maps, content and programs come in this order", () => {
  const kernel = new FakeKernel()
  const loaded = loadObject(kernel, basic())
  const order = kernel.calls.map((call) => call.command)
  expect(order).toEqual([
    "BTF_LOAD",
    "MAP_CREATE",
    "MAP_CREATE",
    "MAP_UPDATE_ELEM",
    "MAP_CREATE",
    "MAP_UPDATE_ELEM",
    "MAP_FREEZE",
    "MAP_CREATE",
    "PROG_LOAD",
    "PROG_LOAD",
    "PROG_LOAD",
  ])
  expect(kernel.sent("MAP_CREATE").map((attr) => attr.map_name)).toEqual([
    "counts",
    "basic.data",
    "basic.rodata",
    "basic.bss",
  ])
  expect(kernel.open.size).toBe(1 + 4 + 3)
  loaded.close()
  expect(kernel.open.size).toBe(0)
  loaded.close()
})

test("programs carry maps, offsets, callbacks, types and lines", () => {
  const kernel = new FakeKernel()
  const object = basic()
  const loaded = loadObject(kernel, object)
  const [attr] = kernel.sent("PROG_LOAD")
  expect(attr).toMatchObject({
    prog_type: 6,
    prog_name: "count_packets",
    license: "GPL",
    kern_version: 0x060102,
    expected_attach_type: 37,
    prog_btf_fd: loaded.btfFd,
    func_info_rec_size: 8,
    line_info_rec_size: 16,
  })
  const program = findProgram(object, "count_packets")
  const insns = decodeProgram(attr.insns)
  for (const relocation of program?.relocations ?? []) {
    const [first, second] = insns.slice(relocation.slot)
    expect(first.opcode).toBe(0x18)
    if (relocation.kind === "map-value") {
      expect([first.src, first.imm]).toEqual([2, loaded.maps.get(relocation.map)?.fd])
      expect(second.imm).toBe(relocation.offset)
    } else if (relocation.kind === "function") {
      expect([first.src, relocation.slot + 1 + first.imm]).toEqual([4, relocation.target])
    }
  }
  expect(attr.func_info.length).toBe(8 * (program?.subprograms.length ?? 0))
  loaded.close()
})

test("without types that the kernel takes, everything is loaded without them and a warning", () => {
  const kernel = new FakeKernel()
  kernel.refuse = ({ command, attr }) => {
    if (command !== "BTF_LOAD") return undefined
    attr.btf_log_buf?.set(new TextEncoder().encode("[3] STRUCT s: Bad\n"))
    return -22
  }
  const loaded = loadObject(kernel, basic())
  expect(loaded.btfFd).toBeNull()
  expect(loaded.warnings).toEqual([
    "the kernel does not take the object's types (EINVAL: [3] STRUCT s: Bad), so programs and " +
      "maps are loaded without them",
  ])
  expect(kernel.sent("PROG_LOAD")[0].func_info).toBeUndefined()
  expect(kernel.sent("MAP_CREATE")[0].btf_fd).toBeUndefined()
  loaded.close()
})

test("what is sent as types is what Linux takes, for every object there is", () => {
  for (const name of readdirSync(fixtures).filter((file) => file.endsWith(".o"))) {
    const kernel = new FakeKernel()
    kernel.refuse = ({ command }) => (command === "BTF_LOAD" ? -22 : undefined)
    try {
      loadObject(kernel, read(name)).close()
    } catch {
      // Only the types matter here.
    }
    const sent = kernel.sent("BTF_LOAD")
    // As it is, then without newer kinds.
    expect(sent.length).toBeGreaterThanOrEqual(2)
    for (const { btf } of sent) expect(validateBtf(btf), name).toBeNull()
    const kinds = new Set([...readBtf(sent[1].btf).types()].map((type) => type.kind))
    expect(kinds.has("decl_tag") || kinds.has("type_tag") || kinds.has("enum64")).toBe(false)
  }
})

test("a map is created without types if the kernel wants it so", () => {
  const kernel = new FakeKernel()
  kernel.refuse = ({ command, attr }) =>
    command === "MAP_CREATE" && attr.btf_fd !== undefined && attr.map_name === "counts"
      ? -22
      : undefined
  const loaded = loadObject(kernel, basic())
  expect(loaded.warnings).toEqual([
    "map 'counts': the kernel takes it only without the types of its keys and values",
  ])
  loaded.close()
})

test("inner maps are templates that are closed again; slots are filled", () => {
  const kernel = new FakeKernel()
  const loaded = loadObject(kernel, maps())
  const outer = kernel.sent("MAP_CREATE").find((attr) => attr.map_name === "outer")
  expect(kernel.open.has(outer.inner_map_fd)).toBe(false)
  const fd = (name: string) => loaded.maps.get(name)?.fd
  const word = (bytes: Uint8Array) =>
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const updates = kernel
    .sent("MAP_UPDATE_ELEM")
    .map((attr) => [attr.map_fd, word(attr.key), word(attr.value)])
  expect(updates).toEqual([
    [fd("outer"), 1, fd("inner_b")],
    [fd("outer"), 3, fd("inner_a")],
    [fd("tails"), 0, loaded.programs.get("tail_two")?.fd],
    [fd("tails"), 2, loaded.programs.get("tail_one")?.fd],
  ])
  // Pinning cannot be undone, so it comes last.
  expect(kernel.calls.at(-1)).toMatchObject({
    command: "OBJ_PIN",
    attr: { pathname: "/sys/fs/bpf/pinned" },
  })
  loaded.close()
})

test("whatever command fails, nothing stays open and the error names the command", () => {
  for (const object of [basic(), maps(), externs()]) {
    const calm = kernelWithTypes()
    loadObject(calm, object).close()
    for (let failing = 0; failing < calm.calls.length; failing++) {
      const { command } = calm.calls[failing]
      // A missing pin is no failure.
      if (command === "OBJ_GET") continue
      const kernel = kernelWithTypes()
      // Refused from there on: a second attempt without types or with a log fails as well.
      kernel.refuse = (_, index) => (index >= failing ? -12 : undefined)
      expect(() => loadObject(kernel, object), `${object.name}: ${command} ${failing}`).toThrow(
        BpfError,
      )
      expect([...kernel.open], `${object.name}: ${command} ${failing}`).toEqual([])
    }
  }
})

test("the log buffer grows until the whole log fits", () => {
  const kernel = new FakeKernel()
  const log = `0: R1=ctx() R10=fp0\n${"12: (79) r1 = *(u64 *)(r1 +64)\n".repeat(9000)}invalid bpf_context access off=64 size=8\nprocessed 2 insns (limit 1000000)\n`
  const text = new TextEncoder().encode(log)
  kernel.refuse = ({ command, attr }) => {
    if (command !== "PROG_LOAD") return undefined
    if (attr.log_level === undefined) return -13
    attr.log_true_size = text.length + 1
    attr.log_buf.set(text.subarray(0, attr.log_buf.length - 1))
    return attr.log_buf.length <= text.length ? -28 : -13
  }
  let error: unknown
  try {
    loadObject(kernel, basic())
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(VerifierError)
  const refused = error as VerifierError
  expect(refused.log).toHaveLength(9003)
  expect(refused.reason).toBe("invalid bpf_context access off=64 size=8")
  expect(refused.code).toBe("EACCES")
  expect(refused.at).toMatchObject({ instruction: 12, text: "r1 = *(u64 *)(r1 +64)" })
  expect(refused.at?.line).toBeGreaterThan(0)
  expect(refused.message).toMatch(
    /^program 'count_packets' is refused by the verifier \(EACCES\) at instruction 12, basic\.c:\d+: invalid bpf_context/,
  )
  // Without log, with the first buffer, with one of the size that the kernel says.
  expect(kernel.sent("PROG_LOAD").map((attr) => attr.log_buf?.length)).toEqual([
    undefined,
    64 * 1024,
    text.length + 1,
  ])
})

test("older kernels only say that the log did not fit: the buffer grows fourfold", () => {
  const kernel = new FakeKernel()
  kernel.refuse = ({ command, attr }) => {
    if (command !== "PROG_LOAD") return undefined
    if (attr.log_level === undefined) return -22
    return attr.log_buf.length < 1024 ? -28 : -22
  }
  expect(() => loadObject(kernel, basic(), { verifierLogBytes: 128 })).toThrow(/EINVAL/)
  expect(kernel.sent("PROG_LOAD").map((attr) => attr.log_buf?.length)).toEqual([
    undefined,
    128,
    512,
    2048,
  ])
})

test("logs of accepted programs are kept when asked for", () => {
  for (const [mode, level] of [
    ["always", 1],
    ["states", 2],
  ] as const) {
    const kernel = new FakeKernel()
    kernel.refuse = ({ command, attr }) => {
      if (command === "PROG_LOAD") attr.log_buf.set(new TextEncoder().encode("processed 3 insns\n"))
      return undefined
    }
    const loaded = loadObject(kernel, basic(), { log: mode })
    expect(loaded.programs.get("lookup")?.log).toEqual(["processed 3 insns"])
    expect(kernel.sent("PROG_LOAD")[0].log_level).toBe(level)
    loaded.close()
  }
})

test("EAGAIN is tried again, a few times", () => {
  const kernel = new FakeKernel()
  let refusals = 0
  kernel.refuse = ({ command }) => (command === "PROG_LOAD" && refusals++ < 2 ? -11 : undefined)
  loadObject(kernel, basic()).close()
  kernel.refuse = ({ command }) => (command === "PROG_LOAD" ? -11 : undefined)
  expect(() => loadObject(kernel, basic(), { log: "off" })).toThrow(/EAGAIN/)
})

test("externs become BTF ids, addresses and configuration", () => {
  const kernel = kernelWithTypes()
  const object = externs()
  const types = readBtf(kernelTypes())
  const loaded = loadObject(kernel, object)
  const program = (name: string) => {
    const attr = kernel.sent("PROG_LOAD").find((one) => one.prog_name === name)
    const relocations = findProgram(object, name)?.relocations ?? []
    const insns = decodeProgram(attr.insns)
    return { attr, relocations, insns }
  }
  const symbols = program("symbols")
  for (const relocation of symbols.relocations) {
    if (relocation.kind !== "extern") continue
    const [first, second] = symbols.insns.slice(relocation.slot)
    const expected = relocation.extern === "schedule" ? [0, 0x81234560 | 0, -1] : [0, 0, 0]
    expect([first.src, first.imm, second.imm], relocation.extern).toEqual(expected)
  }
  const functions = program("functions")
  const calls = functions.relocations.flatMap((r) => (r.kind === "extern" ? [r] : []))
  expect(functions.insns[calls[0].slot]).toMatchObject({
    opcode: 0x85,
    src: 2,
    imm: types.findByName("bpf_rcu_read_lock", "func"),
  })
  expect(functions.attr.attach_btf_id).toBe(types.findByName("btf_trace_sys_enter", "typedef"))
  const variables = program("variables")
  const [relocation] = variables.relocations
  expect(variables.insns[relocation.slot]).toMatchObject({
    src: 3,
    imm: types.findByName("runqueues", "var"),
  })
  const kconfig = loaded.maps.get("externs.kconfig")
  const content = kernel.sent("MAP_UPDATE_ELEM").find((attr) => attr.map_fd === kconfig?.fd)
  const view = new DataView(content.value.buffer, content.value.byteOffset)
  expect(view.getInt32(8, true)).toBe(2)
  expect(view.getInt32(12, true)).toBe(250)
  expect(view.getUint32(16, true)).toBe(0x061200)
  loaded.close()
})

test("only what the chosen programs need is loaded", () => {
  const kernel = new FakeKernel()
  const loaded = loadObject(kernel, maps(), { programs: ["tail_one"] })
  expect(loaded.maps.size).toBe(0)
  expect([...loaded.programs.keys()]).toEqual(["tail_one"])
  loaded.close()
  const more = loadObject(kernel, maps(), { programs: ["entry"] })
  expect([...more.maps.keys()].toSorted()).toEqual([
    "aliases",
    "inner_a",
    "inner_b",
    "outer",
    "pinned",
    "tails",
  ])
  more.close()
})
