/**
 * The functions that printed codecs call, as source text: checks with the messages of codec.ts, and
 * what is too long to be written at each field. A printed file gets those that it uses.
 */

/** Text by name; each may call others of the table. */
const HELPERS: Readonly<Record<string, string>> = {
  fail: `function fail(path: string, indexes: number[], problem: string, type: ErrorConstructor): never {
  let at = 0
  const where = path.replace(/\\*/g, () => String(indexes[at++]))
  throw new type(where === "" ? problem : \`\${where}: \${problem}\`)
}`,
  show: `function show(value: unknown): string {
  if (typeof value === "bigint") return \`\${value}n\`
  if (typeof value === "string") return value.length > 40 ? \`'\${value.slice(0, 40)}…'\` : \`'\${value}'\`
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object"
  return typeof value === "function" ? "a function" : String(value)
}`,
  int: `function int(value: unknown, min: number, max: number, path: string, ...at: number[]): number {
  if (typeof value !== "number") fail(path, at, \`\${show(value)} is not a number\`, TypeError)
  if (!Number.isInteger(value)) fail(path, at, \`\${value} is not an integer\`, RangeError)
  if (value < min || value > max) fail(path, at, \`\${value} is not in \${min} to \${max}\`, RangeError)
  return value
}`,
  big: `function big(value: unknown, min: bigint, max: bigint, path: string, ...at: number[]): bigint {
  if (typeof value !== "bigint")
    fail(path, at, \`\${show(value)} is not a bigint, as values of more than 32 bits are\`, TypeError)
  if (value < min || value > max) fail(path, at, \`\${value} is not in \${min} to \${max}\`, RangeError)
  return value
}`,
  flag: `function flag(value: unknown, path: string, ...at: number[]): number {
  if (typeof value !== "boolean") fail(path, at, \`\${show(value)} is not a boolean\`, TypeError)
  return value ? 1 : 0
}`,
  real: `function real(value: unknown, path: string, ...at: number[]): number {
  if (typeof value !== "number") fail(path, at, \`\${show(value)} is not a number\`, TypeError)
  return value
}`,
  object: `function object(value: unknown, path: string, ...at: number[]): void {
  if (typeof value !== "object" || value === null) fail(path, at, \`\${show(value)} is not an object\`, TypeError)
}`,
  items: `function items(value: unknown, count: number, path: string, ...at: number[]): void {
  if (!Array.isArray(value)) fail(path, at, \`\${show(value)} is not an array\`, TypeError)
  if (value.length !== count)
    fail(path, at, \`\${value.length} elements given, exactly \${count} wanted\`, RangeError)
}`,
  room: `function room(view: DataView, offset: number, size: number): void {
  if (offset < 0 || offset + size > view.byteLength)
    throw new RangeError(\`\${size} bytes wanted at \${offset}, but the buffer has \${view.byteLength}\`)
}`,
  clear: `function clear(view: DataView, offset: number, size: number): void {
  new Uint8Array(view.buffer, view.byteOffset + offset, size).fill(0)
}`,
  getText: `function getText(view: DataView, offset: number, length: number): string {
  room(view, offset, length)
  let text = ""
  for (let i = 0; i < length; i++) {
    const byte = view.getUint8(offset + i)
    if (byte === 0) return text
    if (byte > 0x7f || i >= 64) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, length)
      const end = bytes.indexOf(0, i)
      return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
    }
    text += String.fromCharCode(byte)
  }
  return text
}`,
  setText: `function setText(view: DataView, offset: number, length: number, value: unknown, path: string, ...at: number[]): void {
  if (typeof value !== "string") fail(path, at, \`\${show(value)} is not a string\`, TypeError)
  let end = 0
  if (value.length <= Math.min(length, 64))
    for (; end < value.length; end++) {
      const code = value.charCodeAt(end)
      if (code === 0 || code > 0x7f) break
      view.setUint8(offset + end, code)
    }
  const target = new Uint8Array(view.buffer, view.byteOffset + offset, length)
  if (end < value.length) {
    const bytes = new TextEncoder().encode(value)
    if (bytes.length > length)
      fail(path, at, \`\${show(value)} has \${bytes.length} bytes, more than char[\${length}]\`, RangeError)
    if (bytes.indexOf(0) >= 0) fail(path, at, \`\${show(value)} contains a zero character\`, RangeError)
    target.set(bytes)
    end = bytes.length
  }
  target.fill(0, end)
}`,
  getBytes: `function getBytes(view: DataView, offset: number, length: number): Uint8Array {
  room(view, offset, length)
  return new Uint8Array(view.buffer, view.byteOffset + offset, length).slice()
}`,
  setBytes: `function setBytes(view: DataView, offset: number, length: number, value: unknown, path: string, ...at: number[]): void {
  if (!(value instanceof Uint8Array)) fail(path, at, \`\${show(value)} is not a Uint8Array\`, TypeError)
  if (value.length !== length)
    fail(path, at, \`\${value.length} bytes given, exactly \${length} wanted\`, RangeError)
  room(view, offset, length)
  new Uint8Array(view.buffer, view.byteOffset + offset, length).set(value)
}`,
  getArray: `function getArray<T>(count: number, stride: number, offset: number, read: (at: number) => T): T[] {
  const elements: T[] = []
  for (let i = 0; i < count; i++) elements.push(read(offset + i * stride))
  return elements
}`,
  getWide: `function getWide(view: DataView, offset: number, signed: boolean, little: boolean): bigint {
  const low = view.getBigUint64(offset + (little ? 0 : 8), little)
  const value = (view.getBigUint64(offset + (little ? 8 : 0), little) << 64n) | low
  return signed ? BigInt.asIntN(128, value) : value
}`,
  setWide: `function setWide(view: DataView, offset: number, value: bigint, little: boolean): void {
  const bits = BigInt.asUintN(128, value)
  view.setBigUint64(offset + (little ? 0 : 8), BigInt.asUintN(64, bits), little)
  view.setBigUint64(offset + (little ? 8 : 0), bits >> 64n, little)
}`,
  getBits: `function getBits(view: DataView, offset: number, length: number, shift: bigint, size: number, signed: boolean, little: boolean): bigint {
  let bits = 0n
  for (let i = 0; i < length; i++)
    bits = (bits << 8n) | BigInt(view.getUint8(offset + (little ? length - 1 - i : i)))
  const value = BigInt.asUintN(size, bits >> shift)
  return signed ? BigInt.asIntN(size, value) : value
}`,
  setBits: `function setBits(view: DataView, offset: number, length: number, shift: bigint, size: number, value: bigint, little: boolean): void {
  let bits = BigInt.asUintN(size, value) << shift
  const mask = ((1n << BigInt(size)) - 1n) << shift
  for (let i = 0; i < length; i++) {
    const at = offset + (little ? i : length - 1 - i)
    const keep = view.getUint8(at) & ~Number((mask >> BigInt(8 * i)) & 0xffn)
    view.setUint8(at, keep | Number(bits & 0xffn))
    bits >>= 8n
  }
}`,
}

/** The helpers that a text calls, with those that they call. */
export function helpersFor(text: string): string {
  const needed = new Set<string>()
  const visit = (source: string): void => {
    for (const name of Object.keys(HELPERS))
      if (!needed.has(name) && new RegExp(`\\b${name}(<\\w+>)?\\(`).test(source)) {
        needed.add(name)
        visit(HELPERS[name])
      }
  }
  visit(text)
  return Object.keys(HELPERS)
    .filter((name) => needed.has(name))
    .map((name) => `${HELPERS[name]}\n`)
    .join("\n")
}
