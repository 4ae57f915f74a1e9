/**
 * The object's types in the form that BTF_LOAD takes. Externs are in BTF as the compiler saw them,
 * which the kernel does not accept: a kconfig extern becomes a variable at its place in the
 * `.kconfig` map, a kernel symbol a variable of 4 bytes, a kernel function a global one with named
 * parameters. If an older kernel refuses newer kinds of types, they are replaced by equivalents.
 *
 * Ids and string offsets stay as they are; types and strings are only added at the end.
 *
 * Source: libbpf src/libbpf.c bpf_object__collect_externs, bpf_object__sanitize_btf (what is
 * replaced by what); linux v6.18 kernel/bpf/btf.c (what is refused).
 */

import { concatBytes, utf8Bytes, utf8Text } from "../base/index.ts"
import { indexTypes, readFrame } from "../btf/header.ts"
import {
  BTF_FUNC_GLOBAL,
  BTF_INT_SIGNED,
  BTF_KIND_CONST,
  BTF_KIND_INT,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  BTF_VAR_GLOBAL_ALLOCATED,
  type Btf,
  type BtfDatasec,
  type BtfFunc,
} from "../btf/index.ts"
import type { BpfObject } from "../object/index.ts"
import { errnoName, type Fd } from "../spec/index.ts"
import type { LoadSession } from "./session.ts"

const LOG_BYTES = 64 * 1024
const DUMMY = "dummy_ksym"
/** Bytes that a kernel symbol takes in the `.ksyms` section: any size will do. */
const KSYM_SIZE = 4

/**
 * Loads the object's types, or warns and returns `null` if the kernel does not take them.
 */
export function loadBtf(session: LoadSession): Fd | null {
  const { object, kernel } = session
  if (object.btf === null || object.btf.typeCount <= 1) return null
  const bytes = kernelBtf(object)
  const fd = kernel.bpf("BTF_LOAD", { btf: bytes })
  if (fd >= 0) return session.own(fd)
  const plain = kernel.bpf("BTF_LOAD", { btf: withoutNewerKinds(bytes, object.btf) })
  if (plain >= 0) return session.own(plain)
  const log = new Uint8Array(LOG_BYTES)
  const again = kernel.bpf("BTF_LOAD", { btf: bytes, btf_log_buf: log, btf_log_level: 1 })
  if (again >= 0) return session.own(again)
  const text = utf8Text(log.subarray(0, Math.max(0, log.indexOf(0))))
  const last = text.trimEnd().split("\n").at(-1) ?? ""
  session.warn(
    `the kernel does not take the object's types (${errnoName(fd)}${last && `: ${last}`}), ` +
      "so programs and maps are loaded without them",
  )
  return null
}

/** A BTF as bytes that can be changed in place and grow at the end. */
class BtfPatch {
  readonly btf: Btf
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly offsets: Uint32Array
  private readonly frame: ReturnType<typeof readFrame>
  private readonly types: number[] = []
  private strings: Uint8Array = new Uint8Array(0)
  private added = 0

  constructor(btf: Btf) {
    this.btf = btf
    this.bytes = btf.bytes.slice()
    this.view = new DataView(this.bytes.buffer)
    this.frame = readFrame(this.bytes, ".BTF", false)
    this.offsets = indexTypes(this.bytes, this.frame, ".BTF")
  }

  /** Where the record of a type begins. */
  at(id: number): number {
    return this.offsets[id - this.btf.firstId]
  }

  set(offset: number, value: number): void {
    this.view.setUint32(offset, value, this.btf.littleEndian)
  }

  get(offset: number): number {
    return this.view.getUint32(offset, this.btf.littleEndian)
  }

  addString(text: string): number {
    const offset = this.frame.stringsEnd - this.frame.stringsStart + this.strings.length
    this.strings = concatBytes([this.strings, utf8Bytes(`${text}\0`)])
    return offset
  }

  addType(...words: readonly number[]): number {
    this.types.push(...words)
    return this.btf.typeCount + this.added++
  }

  /** Header, types, strings, with what was added. */
  build(): Uint8Array {
    const { typesStart, typesEnd, stringsStart, stringsEnd } = this.frame
    const added = new Uint8Array(4 * this.types.length)
    const addedView = new DataView(added.buffer)
    this.types.forEach((word, index) => {
      addedView.setUint32(4 * index, word, this.btf.littleEndian)
    })
    const types = concatBytes([this.bytes.subarray(typesStart, typesEnd), added])
    const strings = concatBytes([this.bytes.subarray(stringsStart, stringsEnd), this.strings])
    const header = this.bytes.slice(0, 24)
    const view = new DataView(header.buffer)
    const { littleEndian } = this.btf
    const words = [24, 0, types.length, types.length, strings.length]
    words.forEach((word, index) => {
      view.setUint32(4 + 4 * index, word, littleEndian)
    })
    return concatBytes([header, types, strings])
  }
}

/** The object's types, externs made acceptable. */
export function kernelBtf(object: BpfObject): Uint8Array {
  const { btf } = object
  if (btf === null) return new Uint8Array(0)
  const kconfig = btf.findByName(".kconfig", "datasec")
  const ksyms = btf.findByName(".ksyms", "datasec")
  const functions = externFunctions(btf)
  if (kconfig === undefined && ksyms === undefined && functions.length === 0) return btf.bytes
  const patch = new BtfPatch(btf)
  if (functions.length > 0) defineFunctions(patch, functions)
  if (kconfig !== undefined) placeKconfig(patch, btf.typeOf(kconfig, "datasec"), object)
  if (ksyms !== undefined) placeKsyms(patch, btf.typeOf(ksyms, "datasec"))
  return patch.build()
}

/** Functions of the kernel, and functions that are nowhere: declared and called. */
function externFunctions(btf: Btf): BtfFunc[] {
  const found: BtfFunc[] = []
  for (let id = btf.firstId; id < btf.typeCount; id++) {
    if (btf.kindOf(id) !== "func") continue
    const type = btf.typeOf(id, "func")
    if (type.linkage === "extern") found.push(type)
  }
  return found
}

/** The kernel knows no extern functions, and wants global ones to name their parameters. */
function defineFunctions(patch: BtfPatch, functions: readonly BtfFunc[]): void {
  const name = patch.addString("arg")
  for (const { id, type } of functions) {
    const at = patch.at(id)
    patch.set(at + 4, (patch.get(at + 4) & ~0xffff) | BTF_FUNC_GLOBAL)
    const prototype = patch.at(type)
    patch.btf.typeOf(type, "func_proto").params.forEach((param, position) => {
      if (param.name === "") patch.set(prototype + 12 + 8 * position, name)
    })
  }
}

function placeKconfig(patch: BtfPatch, section: BtfDatasec, object: BpfObject): void {
  const places = new Map(
    object.externs.flatMap((e) => (e.kind === "kconfig" ? [[e.name, e] as const] : [])),
  )
  let end = Math.max(0, ...[...places.values()].map((place) => place.offset + place.size))
  const entries = section.variables.map(({ type, size }) => {
    const place = places.get(patch.btf.type(type).name)
    const entry = { type, offset: place?.offset ?? end, size: place?.size ?? size }
    if (place === undefined) end += size
    patch.set(patch.at(type) + 12, BTF_VAR_GLOBAL_ALLOCATED)
    return entry
  })
  writeSection(patch, section, entries, end)
}

function placeKsyms(patch: BtfPatch, section: BtfDatasec): void {
  const { btf } = patch
  const int = patch.addType(
    patch.addString("int"),
    BTF_KIND_INT << 24,
    KSYM_SIZE,
    (BTF_INT_SIGNED << 24) | (8 * KSYM_SIZE),
  )
  const dummy = patch.addType(
    patch.addString(DUMMY),
    BTF_KIND_VAR << 24,
    int,
    BTF_VAR_GLOBAL_ALLOCATED,
  )
  const entries = section.variables.map(({ type }, index) => {
    const extern = btf.type(type)
    const at = patch.at(type)
    const place = { offset: index * KSYM_SIZE, size: KSYM_SIZE }
    if (extern.kind === "func") return { type: dummy, ...place }
    patch.set(at + 8, int)
    patch.set(at + 12, BTF_VAR_GLOBAL_ALLOCATED)
    return { type, ...place }
  })
  writeSection(patch, section, entries, entries.length * KSYM_SIZE)
}

function writeSection(
  patch: BtfPatch,
  section: BtfDatasec,
  entries: { type: number; offset: number; size: number }[],
  size: number,
): void {
  const at = patch.at(section.id)
  patch.set(at + 8, size)
  entries.sort((a, b) => a.offset - b.offset)
  entries.forEach((entry, index) => {
    patch.set(at + 12 + 12 * index, entry.type)
    patch.set(at + 16 + 12 * index, entry.offset)
    patch.set(at + 20 + 12 * index, entry.size)
  })
}

/**
 * Replaces what kernels before 6.0 do not know: a tag on a declaration becomes an integer that
 * nobody refers to, a tag on a type a `const`, a 64-bit enum a union of as many bytes, whose members
 * carry the names of the enumerators.
 */
export function withoutNewerKinds(bytes: Uint8Array, original: Btf): Uint8Array {
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  const { littleEndian } = original
  const offsets = indexTypes(copy, readFrame(copy, ".BTF", false), ".BTF")
  const set = (at: number, value: number): void => view.setUint32(at, value, littleEndian)
  for (let id = original.firstId; id < original.typeCount; id++) {
    const at = offsets[id - original.firstId]
    switch (original.kindOf(id)) {
      case "decl_tag":
        set(at + 4, BTF_KIND_INT << 24)
        set(at + 8, 1)
        set(at + 12, 8)
        break
      case "type_tag":
        set(at, 0)
        set(at + 4, BTF_KIND_CONST << 24)
        break
      case "enum64": {
        const { size, values } = original.typeOf(id, "enum64")
        const member = placeholder(original, size)
        set(at + 4, (BTF_KIND_UNION << 24) | values.length)
        values.forEach((_, index) => {
          set(at + 12 + 12 * index + 4, member)
          set(at + 12 + 12 * index + 8, 0)
        })
        break
      }
      default:
        break
    }
  }
  return copy
}

/** An integer type of a size that the BTF has, or void. */
function placeholder(btf: Btf, size: number): number {
  for (let id = btf.firstId; id < btf.typeCount; id++)
    if (btf.kindOf(id) === "int" && btf.sizeOf(id) === size) return id
  return 0
}
