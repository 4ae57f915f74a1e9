/**
 * Objects compiled by clang, loaded into the embedded kernel and into Linux by the same calls, and
 * run there: results follow from the C sources.
 */

import { afterEach, describe, expect, test } from "vitest"
import {
  BpfError,
  NotSupportedError,
  ObjectError,
  RelocationError,
  VerifierError,
} from "../../src/base/index.ts"
import { type LoadedObject, type LoadOptions, loadObject } from "../../src/loader/index.ts"
import { type BpfObject, readObject, withGlobals, withMaps } from "../../src/object/index.ts"
import { compile, compileText, objectBytes, objectsOf } from "../object/corpus.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { kernels, key32, lookUp, runOnPacket, runRaw } from "./kernels.ts"

const KCONFIG = {
  CONFIG_HZ: 1000,
  CONFIG_BPF: "m",
  CONFIG_BPF_SYSCALL: "y",
  CONFIG_DEFAULT_HOSTNAME: '"skep"',
} as const

function read(source: string): BpfObject {
  return readObject(objectBytes(compile(`${source}.c`)), { name: `${source}.bpf.o` })
}

/** The object without pinning, which needs bpffs. */
function unpinned(source: string): BpfObject {
  const object = read(source)
  const pinned = object.maps.filter((map) => map.pinning !== "none")
  return withMaps(
    object,
    Object.fromEntries(pinned.map((map) => [map.name, { pinning: "none" as const }])),
  )
}

describe.each(kernels)("On $label", ({ kernel, label }) => {
  const open: LoadedObject[] = []

  function load(object: BpfObject, options?: LoadOptions): LoadedObject {
    const loaded = loadObject(kernel, object, options)
    open.push(loaded)
    return loaded
  }

  afterEach(() => {
    for (const loaded of open.splice(0)) loaded.close()
  })

  function fd(loaded: LoadedObject, program: string): number {
    const found = loaded.programs.get(program)
    if (found === undefined) throw new Error(`no program ${program}`)
    return found.fd
  }

  function value(loaded: LoadedObject, map: string): DataView {
    const found = loaded.maps.get(map)
    if (found === undefined) throw new Error(`no map ${map}`)
    const bytes = lookUp(kernel, found.fd, key32(0), found.definition.valueSize)
    if (typeof bytes === "number") throw new Error(`MAP_LOOKUP_ELEM of ${map}: ${bytes}`)
    return new DataView(bytes.buffer)
  }

  describeWith([requirement.clang()], "programs and globals", () => {
    test("subprograms, globals of all sections and constants work together", () => {
      const loaded = load(read("basic"))
      expect(loaded.warnings).toEqual([])
      expect(loaded.btfFd).not.toBeNull()
      // skb->len of a socket filter is without the Ethernet header, 50: hidden_sum(50) is
      // 3 * 50 + 40 + 8080; then hidden_total is 42, and global_sum(2) is 3 * 2 + 5.
      expect(runOnPacket(kernel, fd(loaded, "filter"))).toBe(150 + 40 + 8080 + 11)
      expect(runOnPacket(kernel, fd(loaded, "filter"))).toBe(150 + 42 + 8080 + 11)
    })

    test("bpf_loop calls the callback, whose writes are in the map of .bss", () => {
      const loaded = load(read("basic"))
      // (3 * ingress_ifindex + calls) + 5 + 3 + 'f', with calls at 3 after the loop.
      const ifindex = (runOnPacket(kernel, fd(loaded, "count_packets")) - 3 - 5 - 3 - 102) / 3
      expect(Number.isInteger(ifindex)).toBe(true)
      const words = [...new Int32Array(value(loaded, "basic.bss").buffer)]
      // hits[1] adds up (0 + 1) + (3 + 2) + (6 + 3).
      expect(words.filter((word) => word !== 0).toSorted((a, b) => a - b)).toEqual([3, 15])
    })

    test("globals set before loading are what programs see", () => {
      const object = withGlobals(read("basic"), { scale: 100, port: 1, limit: -7, label: "" })
      const loaded = load(object)
      expect(runOnPacket(kernel, fd(loaded, "filter"))).toBe(150 + 40 + 1 + 106)
    })

    test("constants are frozen for user space too", () => {
      const loaded = load(read("basic"))
      const map = loaded.maps.get("basic.rodata")
      const size = map?.definition.valueSize ?? 0
      const update = { map_fd: map?.fd ?? -1, key: key32(0), value: new Uint8Array(size) }
      expect(kernel.bpf("MAP_UPDATE_ELEM", update)).toBe(-1)
    })

    test("statics in named sections, custom sections and legacy maps load", () => {
      const lenient = load(read("lenient"), { programs: ["uses_helper"] })
      // rx_queue_index is 0: helper(0) + other_section(3).
      expect(runOnPacket(kernel, fd(lenient, "uses_helper"))).toBe(22)
      const sections = load(read("sections"), { programs: ["frags"] })
      expect(runOnPacket(kernel, fd(sections, "frags"))).toBe(1 + 33 + 11 + 22 + 0)
      const legacy = read("legacy")
      const maps = legacy.maps.map((map) => ({ ...map, extra: undefined }))
      const old = load({ ...legacy, maps })
      // first is an empty hash, second an array.
      expect(runOnPacket(kernel, fd(old, "program"))).toBe(0)
    })
  })

  describeWith([requirement.clang()], "maps", () => {
    test("static slots of prog arrays and maps of maps are filled", () => {
      const loaded = load(unpinned("maps"), { programs: ["entry"] })
      expect([...loaded.programs.keys()].toSorted()).toEqual(["entry", "tail_one", "tail_two"])
      expect(runOnPacket(kernel, fd(loaded, "entry"))).toBe(1)
      const info = new Uint8Array(88)
      kernel.bpf("OBJ_GET_INFO_BY_FD", { bpf_fd: loaded.maps.get("inner_b")?.fd ?? -1, info })
      const id = new DataView(info.buffer).getUint32(4, true)
      const outer = loaded.maps.get("outer")?.fd ?? -1
      const slot = lookUp(kernel, outer, key32(1), 4)
      expect(slot).toBeInstanceOf(Uint8Array)
      expect(new DataView((slot as Uint8Array).buffer).getUint32(0, true)).toBe(id)
      expect(lookUp(kernel, outer, key32(0), 4)).toBe(-2)
    })

    test("static maps, and types with tags and 64-bit enums", () => {
      const loaded = load(read("tags"))
      expect(loaded.warnings).toEqual([])
      expect(runOnPacket(kernel, fd(loaded, "program"))).toBe(3)
    })

    test("iproute2's maps and tail sections work", () => {
      const loaded = load(unpinned("iproute2"))
      expect(runOnPacket(kernel, fd(loaded, "first"))).toBe(5)
    })

    test("sizes that depend on the kernel are filled in", () => {
      const all = unpinned("maps")
      const maps = all.maps.filter((map) => ["ring", "perf"].includes(map.name))
      const object = withMaps({ ...all, maps, programs: [] }, { ring: { maxEntries: 5000 } })
      const loaded = load(object)
      expect(loaded.maps.get("ring")?.definition.maxEntries).toBe(8192)
      expect(loaded.maps.get("perf")?.definition.maxEntries).toBe(kernel.possibleCpus)
    })

    test("a map given by the caller is used, and stays open", () => {
      const first = load(read("basic"))
      const shared = first.maps.get("counts")?.fd ?? -1
      const second = load(read("basic"), { maps: { counts: shared } })
      expect(second.maps.get("counts")).toMatchObject({ fd: shared, reused: true })
      second.close()
      expect(lookUp(kernel, shared, key32(1), 8)).toBe(-2)
    })

    test("a map that does not fit is refused with every difference", () => {
      const first = load(read("basic"))
      const fds = { counts: first.maps.get("basic.bss")?.fd ?? -1 }
      const attempt = () => load(read("basic"), { maps: fds })
      expect(attempt).toThrow(BpfError)
      expect(attempt).toThrow(
        /map 'counts' given by the caller does not fit: type is 2, the object wants 1; valueSize is 16, the object wants 8; maxEntries is 1, the object wants 8/,
      )
    })
  })

  describeWith([requirement.clang()], "externs", () => {
    test("kconfig externs have the values given, and the kernel's version", () => {
      const loaded = load(read("externs"), { programs: ["config"], kconfig: KCONFIG })
      runRaw(kernel, fd(loaded, "config"))
      const seen = [...new BigUint64Array(value(loaded, "externs.bss").buffer)]
      const hostname = BigInt("s".charCodeAt(0))
      const version = BigInt(kernel.versionCode())
      expect(seen.slice(0, 7)).toEqual([version, 1n, 2n, 1000n, 0n, hostname, 0n])
    })

    test("a value that its type cannot hold is a RelocationError", () => {
      const kconfig = { ...KCONFIG, CONFIG_BPF_SYSCALL: "m" }
      const attempt = () => load(read("externs"), { programs: ["config"], kconfig })
      expect(attempt).toThrow(RelocationError)
      expect(attempt).toThrow(/extern 'CONFIG_BPF_SYSCALL' m does not fit into (bool|_Bool)/)
    })

    test("typeless kernel symbols are addresses, missing weak ones 0", () => {
      if (kernel.kernelSymbol("schedule") === undefined) return
      const loaded = load(read("externs"), { programs: ["symbols"] })
      runRaw(kernel, fd(loaded, "symbols"))
      const seen = [...new BigUint64Array(value(loaded, "externs.bss").buffer)]
      expect(seen.slice(0, 3)).toEqual([kernel.kernelSymbol("schedule"), 0n, 7n])
    })

    test("a strong kernel function that is missing names the program", () => {
      const object = read("externs")
      const externs = object.externs.map((e) => ({ ...e, weak: false }))
      const attempt = () => load({ ...object, externs }, { programs: ["functions"] })
      expect(attempt).toThrow(RelocationError)
      expect(attempt).toThrow(
        /program 'functions', instruction \d+: extern 'no_such_function' is no function of the kernel's types: declare it __weak/,
      )
    })
  })

  describeWith([requirement.clang()], "errors", () => {
    test("a call of nothing is an error of the program that makes it", () => {
      const attempt = () => load(read("lenient"), { programs: ["calls_nothing"] })
      expect(attempt).toThrow(RelocationError)
      expect(attempt).toThrow(
        /program 'calls_nothing', instruction \d+: 'defined_elsewhere' is not in the object file/,
      )
    })

    test("a program without type says what its section should be", () => {
      const attempt = () => load(read("sections"), { programs: ["unknown"] })
      expect(attempt).toThrow(ObjectError)
      expect(attempt).toThrow(
        /program 'unknown': section 'nothing\/of\/ours' does not say its type/,
      )
    })

    test("legacy definitions with bytes that nobody understands are refused", () => {
      expect(() => load(read("legacy"))).toThrow(/map 'second': .* 8 more bytes, not all zero/)
    })

    test("a kernel function that does not exist cannot be attached to", () => {
      const object = read("sections")
      const programs = object.programs.map((program) =>
        program.name === "entry" ? { ...program, attachTarget: "no_such_function" } : program,
      )
      const attempt = () => load({ ...object, programs }, { programs: ["entry"] })
      expect(attempt).toThrow(BpfError)
      expect(attempt).toThrow(/program 'entry': the kernel has no function 'no_such_function'/)
    })

    test("names that the object does not have are refused", () => {
      expect(() => load(read("basic"), { programs: ["nothing"] })).toThrow(/no program 'nothing'/)
      expect(() => load(read("basic"), { maps: { nothing: 3 } })).toThrow(/no map 'nothing'/)
    })

    test("big-endian objects are read but not loaded", () => {
      const [, big] = objectsOf("basic")
      const object = readObject(objectBytes(big.path))
      expect(() => load(object)).toThrow(NotSupportedError)
      expect(() => load(object)).toThrow(
        /is big-endian, the kernel is not: compile it with -target bpfel/,
      )
    })
  })

  // What needs a verifier that removes dead code, or the types of a real kernel.
  if (label === "Linux")
    describeWith([requirement.clang()], "dead code and CO-RE", () => {
      test("kernel functions are called by their BTF ids, missing weak ones never", () => {
        const loaded = load(read("externs"), { programs: ["functions"] })
        expect(loaded.programs.size).toBe(1)
      })

      test("an access to a field that the kernel lacks is a RelocationError, the log its cause", () => {
        const path = compileText(`
          struct task_struct { int nowhere; } __attribute__((preserve_access_index));
          static void *(*current)(void) = (void *)35;
          static long (*probe)(void *to, unsigned size, const void *from) = (void *)113;
          __attribute__((section("raw_tp/sys_enter"), used)) int program(void *ctx)
          {
            struct task_struct *task = current();
            int value = 0;
            probe(&value, 4, __builtin_preserve_access_index(&task->nowhere));
            return value;
          }
          char _license[] __attribute__((section("license"))) = "GPL";`)
        const object = readObject(objectBytes(path), { name: "nowhere.o" })
        let error: unknown
        try {
          load(object)
        } catch (thrown) {
          error = thrown
        }
        expect(error).toBeInstanceOf(RelocationError)
        expect((error as RelocationError).cause).toBeInstanceOf(VerifierError)
        expect((error as RelocationError).message).toMatch(
          /^program 'program', instruction \d+, text\.c:\d+: FIELD_BYTE_OFFSET: task_struct\.nowhere is not .* \(guard it with bpf_core_field_exists\)$/,
        )
      })

      test("a rejection says which line and why, with the whole log", () => {
        const path = compileText(`
          __attribute__((section("socket"), used)) int program(void *ctx)
          {
            return *(int *)(ctx + 4096);
          }`)
        const object = readObject(objectBytes(path), { name: "bad.o" })
        let error: unknown
        try {
          load(object)
        } catch (thrown) {
          error = thrown
        }
        expect(error).toBeInstanceOf(VerifierError)
        const refused = error as VerifierError
        expect(refused.reason).toMatch(/^invalid bpf_context access off=4096 size=4/)
        expect(refused.at).toMatchObject({ instruction: 0, line: 4 })
        expect(refused.at?.source).toBe("return *(int *)(ctx + 4096);")
        expect(refused.log.at(-1)).toMatch(/^processed 1 insns/)
      })

      test("accesses are relocated to the running kernel's types", () => {
        const loaded = load(read("core"))
        expect(() => runRaw(kernel, fd(loaded, "core"))).not.toThrow()
        const globals = read("core").globals
        const bss = value(loaded, "core.bss")
        const at = (name: string) => globals.find((one) => one.name === name)?.offset ?? -1
        // The thread's pid and its leader's tgid, which is ours.
        expect(bss.getInt32(at("out_pid"), true)).toBeGreaterThanOrEqual(2 * process.pid)
        expect(bss.getInt32(at("out_exists"), true)).toBe(0)
        expect(bss.getInt32(at("out_size"), true)).toBeGreaterThan(1000)
        expect(bss.getBigInt64(at("out_enum"), true)).toBe(1n)
      })
    })
})
