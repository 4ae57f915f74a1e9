/**
 * What an object file says, as immutable data: programs, maps, globals, externs and types. No
 * kernel is involved, and reading the same bytes gives the same object on every machine. Linking
 * is done: each program is complete, with the subprograms it needs appended.
 */

import type { Btf } from "../btf/index.ts"

/** A parsed object file. */
export interface BpfObject {
  /** File name or what the caller called it; part of messages. */
  readonly name: string
  readonly littleEndian: boolean
  /** Content of the `license` section; empty when there is none. */
  readonly license: string
  /** Content of the `version` section (LINUX_VERSION_CODE), or 0. */
  readonly kernelVersion: number
  readonly btf: Btf | null
  readonly programs: readonly ProgramDefinition[]
  /** In order of definition, then the data sections (`.data`, `.bss`, `.rodata`, `.kconfig`, …). */
  readonly maps: readonly MapDefinition[]
  readonly globals: readonly GlobalVariable[]
  readonly externs: readonly Extern[]
  /** Things that are not errors but that a user should know. */
  readonly warnings: readonly string[]
}

/** One entry-point program. */
export interface ProgramDefinition {
  /** The C function's name. */
  readonly name: string
  /** The ELF section as written: `tp/sched/sched_switch`. */
  readonly section: string
  /** enum bpf_prog_type, or 0 when the section name says nothing. */
  readonly type: number
  /** enum bpf_attach_type that PROG_LOAD should expect, or 0. */
  readonly attachType: number
  /** What follows the prefix in the section name: `sched/sched_switch`, `bpf_fentry_test1`. */
  readonly attachTarget: string | null
  /** BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS… from the section name. */
  readonly flags: number
  /** False when the section name begins with `?`. */
  readonly autoload: boolean
  /** Whole linked program, 8 bytes a slot, in the object's byte order. */
  readonly instructions: Uint8Array
  readonly subprograms: readonly Subprogram[]
  readonly relocations: readonly Relocation[]
  readonly coreRelocations: readonly CoreRelocation[]
  /** Per function of the linked program: `insnOffset` in slots. */
  readonly funcInfo: readonly { readonly insnOffset: number; readonly typeId: number }[]
  readonly lineInfo: readonly LineInfo[]
  /** Calls that name no function of the object: an error when the program is loaded. */
  readonly unresolved: readonly { readonly slot: number; readonly symbol: string }[]
}

/** Where a function begins in a linked program. The first one is the program itself. */
export interface Subprogram {
  readonly name: string
  readonly slot: number
  readonly slots: number
  readonly global: boolean
}

/** Offsets are into the object's BTF strings; the column is in the low 10 bits of `lineColumn`. */
export interface LineInfo {
  readonly insnOffset: number
  readonly fileNameOffset: number
  readonly lineOffset: number
  readonly lineColumn: number
}

/** An instruction whose immediate the loader must fill in. */
export type Relocation =
  /** ld_imm64 of a map's address. */
  | { readonly kind: "map"; readonly slot: number; readonly map: string }
  /** ld_imm64 of an address inside a data section's single value. */
  | {
      readonly kind: "map-value"
      readonly slot: number
      readonly map: string
      readonly offset: number
    }
  /** ld_imm64 of a function of the same program (a callback): `target` is its slot. */
  | { readonly kind: "function"; readonly slot: number; readonly target: number }
  /** ld_imm64 or call of an extern. */
  | { readonly kind: "extern"; readonly slot: number; readonly extern: string }

/** One record of `.BTF.ext`'s CO-RE section, moved to the linked program. */
export interface CoreRelocation {
  readonly slot: number
  /** Root type in the object's BTF. */
  readonly typeId: number
  /** `0:1:2`, or an enumerator's index. */
  readonly accessString: string
  /** enum bpf_core_relo_kind. */
  readonly kind: number
}

export interface MapDefinition {
  readonly name: string
  /** Where it was defined. `data`: a section of globals that becomes a one-element array. */
  readonly origin: "btf" | "legacy" | "data"
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly mapExtra: bigint
  readonly numaNode: number
  /** Type ids in the object's BTF, or 0. */
  readonly keyTypeId: number
  readonly valueTypeId: number
  /** LIBBPF_PIN_BY_NAME (iproute2's PIN_GLOBAL_NS counts), or none. */
  readonly pinning: "none" | "by-name"
  /** Template of the inner map of map-in-map types. */
  readonly inner: MapDefinition | null
  /** Initial slots of prog arrays and maps of maps: what is at which index. */
  readonly initial: readonly {
    readonly index: number
    readonly kind: "map" | "program"
    readonly name: string
  }[]
  /** Section of globals: name as in ELF (`.rodata`), and its initial content. */
  readonly section: string | null
  readonly data: Uint8Array | null
  /**
   * What a legacy definition has after the fields that are known, if anything: loading refuses it
   * unless it is all zeros.
   */
  readonly extra?: Uint8Array
  /** Content may not change after loading (BPF_F_RDONLY_PROG and MAP_FREEZE). */
  readonly readonly: boolean
}

/** A global variable: a place in the single value of a data map. */
export interface GlobalVariable {
  readonly name: string
  /** Name of the map (see {@link MapDefinition.section} for the ELF section). */
  readonly map: string
  readonly offset: number
  readonly size: number
  /** Type of the variable in the object's BTF, or 0. */
  readonly typeId: number
  readonly readonly: boolean
}

export type Extern =
  /** `extern int CONFIG_HZ __kconfig`: a place in the `.kconfig` map. */
  | {
      readonly kind: "kconfig"
      readonly name: string
      readonly weak: boolean
      readonly offset: number
      readonly size: number
      readonly typeId: number
    }
  /** `extern … __ksym`: a kernel variable or function. `typeId` is 0 for typeless (`void`). */
  | {
      readonly kind: "ksym"
      readonly name: string
      readonly weak: boolean
      readonly function: boolean
      readonly typeId: number
    }
