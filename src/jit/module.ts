/**
 * Puts a WebAssembly module together: types, imports, functions, exports, code
 * (WebAssembly 2.0 core specification §5.5). Types are made once each; function indices count
 * imports first, so all imports must be known before the first function is asked for.
 */

import { Writer } from "./writer.ts"

/** Most pages that a memory of 32-bit offsets can have. */
const PAGES_MAX = 65_536

export interface MemoryImport {
  readonly shared: boolean
  /** Pages; needed when the memory is shared. */
  readonly maximum: number
}

export class ModuleBuilder {
  private readonly types: Uint8Array[] = []
  private readonly typeIndex: Map<string, number> = new Map()
  private readonly imports: { module: string; name: string; type: number }[] = []
  private readonly importIndex: Map<string, number> = new Map()
  private readonly functions: { type: number; body: Uint8Array }[] = []
  private readonly exports: { name: string; index: number }[] = []
  private readonly memory: MemoryImport

  constructor(memory: MemoryImport) {
    this.memory = memory
  }

  /** The index of a function type. */
  type(parameters: readonly number[], results: readonly number[]): number {
    const key = `${parameters.join()}>${results.join()}`
    let index = this.typeIndex.get(key)
    if (index === undefined) {
      const writer = new Writer(16)
      writer.byte(0x60)
      for (const list of [parameters, results]) {
        writer.u32(list.length)
        for (const type of list) writer.byte(type)
      }
      index = this.types.push(writer.finished()) - 1
      this.typeIndex.set(key, index)
    }
    return index
  }

  /** The function index of an import; the same for the same name. */
  import(name: string, parameters: readonly number[], results: readonly number[]): number {
    let index = this.importIndex.get(name)
    if (index === undefined) {
      if (this.functions.length > 0) throw new Error(`import ${name} after the first function`)
      index = this.imports.push({ module: "e", name, type: this.type(parameters, results) }) - 1
      this.importIndex.set(name, index)
    }
    return index
  }

  get importCount(): number {
    return this.imports.length
  }

  /** Names of the imported functions. */
  get importNames(): string[] {
    return this.imports.map(({ name }) => name)
  }

  /** Adds a function (locals and instructions, without its size); returns its index. */
  function(type: number, body: Uint8Array): number {
    return this.imports.length + this.functions.push({ type, body }) - 1
  }

  export(name: string, index: number): void {
    this.exports.push({ name, index })
  }

  /** The module's bytes. */
  build(): Uint8Array {
    const size = this.functions.reduce((sum, { body }) => sum + body.length + 8, 1024)
    const out = new Writer(size)
    for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte)
    section(out, 1, this.types.length, (writer) => {
      for (const type of this.types) writer.append(type)
    })
    section(out, 2, this.imports.length + 2, (writer) => this.writeImports(writer))
    section(out, 3, this.functions.length, (writer) => {
      for (const { type } of this.functions) writer.u32(type)
    })
    section(out, 7, this.exports.length, (writer) => {
      for (const { name, index } of this.exports) {
        writer.name(name)
        writer.byte(0)
        writer.u32(index)
      }
    })
    section(out, 10, this.functions.length, (writer) => {
      for (const { body } of this.functions) {
        writer.u32(body.length)
        writer.append(body)
      }
    })
    return out.finished()
  }

  private writeImports(writer: Writer): void {
    writer.name("e")
    writer.name("memory")
    writer.byte(2)
    if (this.memory.shared) {
      writer.byte(3)
      writer.u32(1)
      writer.u32(Math.min(this.memory.maximum, PAGES_MAX))
    } else {
      writer.byte(0)
      writer.u32(1)
    }
    writer.name("e")
    writer.name("table")
    writer.byte(1)
    writer.byte(0x70)
    writer.byte(0)
    writer.u32(0)
    for (const { module, name, type } of this.imports) {
      writer.name(module)
      writer.name(name)
      writer.byte(0)
      writer.u32(type)
    }
  }
}

function section(out: Writer, id: number, count: number, write: (writer: Writer) => void): void {
  if (count === 0) return
  const content = new Writer(1024)
  content.u32(count)
  write(content)
  out.byte(id)
  out.u32(content.length)
  out.append(content.finished())
}

/** Declares locals: runs of equal types, before a function's instructions. */
export function functionBody(locals: readonly number[], code: Uint8Array): Uint8Array {
  const runs: [count: number, type: number][] = []
  for (const type of locals) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === type) last[0]++
    else runs.push([1, type])
  }
  const writer = new Writer(code.length + 16 + runs.length * 3)
  writer.u32(runs.length)
  for (const [count, type] of runs) {
    writer.u32(count)
    writer.byte(type)
  }
  writer.append(code)
  return writer.finished()
}
