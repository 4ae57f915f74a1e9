export * from "./assembler/assemble.ts"
export type {
  AssemblerNames,
  AssemblyRelocation,
  ResolvedSymbol,
  SymbolReference,
} from "./assembler/output.ts"
export * from "./disassemble.ts"
export * from "./forms.ts"
export * from "./instruction.ts"
export type { NotationNames } from "./kernel-notation.ts"
export * from "./opcode.ts"
export * from "./predicates.ts"
export * from "./validate.ts"
