export * from "../base/errors.ts"
export { type Btf, type BtfType, codecFor, readBtf } from "../btf/index.ts"
export { verdictName } from "../spec/index.ts"
export * from "./codecs.ts"
export { Collection } from "./collection.ts"
export { Handle, reportLeaks } from "./handle.ts"
export { Kernel, type KernelLoadOptions } from "./kernel.ts"
export { Link, type LinkInfo, LinkSet } from "./link.ts"
export * from "./maps/index.ts"
export { type AnySchema, BpfObject, parseObject, type Schema } from "./object.ts"
export {
  type AttachTarget,
  type IteratorTarget,
  Program,
  type ProgramInfo,
  type RunInput,
  type RunResult,
} from "./program.ts"
export { asm, type Instructions, type ProgramSpec, program } from "./program-spec.ts"
export type { Feature } from "./supports.ts"
