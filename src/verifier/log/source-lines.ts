/** Source lines of instructions, from PROG_LOAD's line_info and the program's BTF. */

import { type Btf, LINE_INFO_SIZE } from "../../btf/index.ts"

export interface SourceLine {
  readonly file: string
  readonly text: string
  readonly line: number
  readonly column: number
}

/** Looks lines up by instruction; they are decoded once each. */
export class SourceLines {
  private readonly view: DataView
  private readonly count: number
  private readonly btf: Btf | null
  private readonly lines: (SourceLine | undefined)[] = []

  constructor(lineInfo: Uint8Array, btf: Btf | null) {
    this.view = new DataView(lineInfo.buffer, lineInfo.byteOffset, lineInfo.byteLength)
    this.btf = btf
    this.count = btf === null ? 0 : Math.floor(lineInfo.length / LINE_INFO_SIZE)
  }

  /** Index of the record that covers `insn`, or -1. */
  indexAt(insn: number): number {
    let low = 0
    let high = this.count - 1
    if (high < 0 || this.view.getUint32(0, true) > insn) return -1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.view.getUint32(middle * LINE_INFO_SIZE, true) <= insn) low = middle
      else high = middle - 1
    }
    return low
  }

  at(index: number): SourceLine {
    const known = this.lines[index]
    if (known !== undefined) return known
    const base = index * LINE_INFO_SIZE
    const column = this.view.getUint32(base + 12, true)
    const line: SourceLine = {
      file: this.string(this.view.getUint32(base + 4, true)),
      text: this.string(this.view.getUint32(base + 8, true)),
      line: column >>> 10,
      column: column & 0x3ff,
    }
    this.lines[index] = line
    return line
  }

  private string(offset: number): string {
    try {
      return this.btf?.string(offset) ?? ""
    } catch {
      return ""
    }
  }
}
