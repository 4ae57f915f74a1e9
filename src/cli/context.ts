/** What every command is given, and the few things that all of them do. */

import { readFileSync, writeFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import pc from "picocolors"
import { type Io, wantsColor } from "./io.ts"

/** picocolors' functions, doing nothing where there are no colours. */
export type Colors = ReturnType<typeof pc.createColors>

export class Context {
  readonly io: Io
  /** For standard output. */
  readonly colors: Colors
  /** For standard error. */
  readonly errorColors: Colors
  /** 1 after something that was not an error of the command, but is one for scripts: a fault. */
  exitCode = 0

  constructor(io: Io) {
    this.io = io
    this.colors = pc.createColors(wantsColor(io, io.stdout))
    this.errorColors = pc.createColors(wantsColor(io, io.stderr))
  }

  /** Prints a line (or several) of results. */
  print(text: string): void {
    this.io.stdout.write(`${text}\n`)
  }

  /** Prints a value as JSON: 64-bit integers as numbers where exact, else as strings; bytes as hex. */
  printJson(value: unknown): void {
    this.io.stdout.write(`${JSON.stringify(value, jsonValue, 2)}\n`)
  }

  warn(text: string): void {
    this.io.stderr.write(`${this.errorColors.yellow("warning:")} ${text}\n`)
  }

  /** The path as the file system takes it. */
  path(file: string): string {
    return isAbsolute(file) ? file : join(this.io.cwd, file)
  }

  /** A whole file, or standard input for `-`. @throws the errors of node:fs. */
  read(file: string): Uint8Array {
    return file === "-" ? this.io.readStdin() : readFileSync(this.path(file))
  }

  write(file: string, content: Uint8Array | string): void {
    if (file === "-") {
      if (typeof content === "string") this.io.stdout.write(content)
      else process.stdout.write(content)
    } else writeFileSync(this.path(file), content)
  }
}

/** JSON.stringify's replacer for what decoded values may hold. */
export function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value.toString()
  }
  if (value instanceof Uint8Array)
    return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  return value
}
