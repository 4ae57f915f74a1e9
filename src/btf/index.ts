export * from "./btf.ts"
export * from "./builder.ts"
export { alignOfCodec, type Codec, type Decoded, decodeValue, encodeValue } from "./codec.ts"
export * from "./codec-for.ts"
export {
  array,
  bool,
  bytes,
  chars,
  flexible,
  flexibleBytes,
  flexibleChars,
  type PlacedField,
  s8,
  s16,
  s32,
  s64,
  struct,
  structAt,
  u8,
  u16,
  u32,
  u64,
} from "./codecs.ts"
export * from "./constants.ts"
export * from "./core/index.ts"
export * from "./declarations.ts"
export type { BtfTypeInput } from "./encode.ts"
export * from "./ext.ts"
export * from "./layout.ts"
export { essentialName } from "./name-index.ts"
export * from "./printers/c.ts"
export * from "./printers/codecs.ts"
export { printTypeScript, TypeScriptTypes } from "./printers/typescript.ts"
export * from "./spelling.ts"
export * from "./types.ts"
export { validateBtf } from "./validate.ts"
