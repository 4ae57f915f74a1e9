/**
 * What a codec is: how some bytes and one JavaScript value become each other. Values follow one
 * rule everywhere: integers up to 32 bits are numbers, 64-bit ones always bigint, `char[n]` is a
 * string, structs are plain objects.
 *
 * A value that does not fit is refused with the path of the field at fault: `flow.ports[1]: 70000
 * is not in 0 to 65535`. What `write` has put into the buffer by then is unspecified.
 */

/** Reads and writes one type. */
export interface Codec<T> {
  /** Bytes; for a struct that ends in a flexible array, those before the array's first element. */
  readonly size: number
  /** C alignment in bytes, a power of two; without it, the largest one up to 8 that divides `size`. */
  readonly align?: number
  /**
   * Reads the value at byte `offset`. A flexible array extends to the end of `view`.
   *
   * @throws RangeError if `view` ends before the value does.
   */
  read(view: DataView, offset: number): T
  /**
   * Writes all `size` bytes at `offset`, padding as zeros.
   *
   * @throws RangeError for a value out of range or a `view` that is too short, TypeError for a
   * value of another type.
   */
  write(view: DataView, offset: number, value: T): void
  /** Bytes that `value` takes; only codecs with a flexible array have it. */
  sizeFor?(value: T): number
}

/** The type of the values of a codec. */
export type Decoded<C> = C extends Codec<infer T> ? T : never

/** The value at the start of `bytes`. */
export function decodeValue<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return codec.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0)
}

/** A value as a new byte string, flexible array included. */
export function encodeValue<T>(codec: Codec<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(codec.sizeFor?.(value) ?? codec.size)
  codec.write(new DataView(bytes.buffer), 0, value)
  return bytes
}

/** Alignment of a codec that may not state one. */
export function alignOfCodec(codec: Codec<unknown>): number {
  return codec.align ?? Math.max(1, Math.min(8, codec.size & -codec.size))
}

interface Misfit {
  readonly problem: string
  readonly path: string
}

/** Problem and path of errors on their way out through nested codecs. */
const misfits = new WeakMap<Error, Misfit>()

/** A RangeError that {@link atPath} can still locate. */
export function rangeMisfit(problem: string): RangeError {
  const error = new RangeError(problem)
  misfits.set(error, { problem, path: "" })
  return error
}

/** A TypeError that {@link atPath} can still locate. */
export function typeMisfit(value: unknown, wanted: string): TypeError {
  const problem = `${showValue(value)} is not ${wanted}`
  const error = new TypeError(problem)
  misfits.set(error, { problem, path: "" })
  return error
}

/** Puts a field name or `[index]` before the path of a misfit; other errors pass unchanged. */
export function atPath(error: unknown, segment: string): unknown {
  if (!(error instanceof Error)) return error
  const misfit = misfits.get(error)
  if (misfit === undefined) return error
  const joint = misfit.path === "" || misfit.path.startsWith("[") ? "" : "."
  const path = segment + joint + misfit.path
  misfits.set(error, { problem: misfit.problem, path })
  error.message = `${path}: ${misfit.problem}`
  return error
}

/** Refuses to read or write past the end of a view. */
export function checkRoom(view: DataView, offset: number, size: number): void {
  if (offset < 0 || offset + size > view.byteLength)
    throw rangeMisfit(`${size} bytes wanted at ${offset}, but the buffer has ${view.byteLength}`)
}

/** A value for a message: short, on one line, told apart from its look-alikes. */
export function showValue(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `${value}n`
    case "string":
      return value.length > 40 ? `'${value.slice(0, 40)}…'` : `'${value}'`
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object"
    case "function":
      return "a function"
    default:
      return String(value)
  }
}
