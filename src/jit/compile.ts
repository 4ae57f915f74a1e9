/**
 * The compiler: a decoded program in, one WebAssembly module out. The passes in order:
 *
 *   cfg          blocks of each function, in reverse post order
 *   structure    dominators, loops, dispatch blocks where the graph is irreducible
 *   liveness     the registers that each function reads at its start
 *   values       what registers hold on all paths; escapes: whether packet addresses leave them
 *   function     instructions, with peepholes
 *   module       types, imports, functions, exports
 *
 * Imports (from `e`): `memory`, `table`, helpers `h<n>`, and those of {@link HOST_IMPORTS}. Exports:
 * `main(r1, frame) → r0` and `run(frame)`, which takes r1 from the area and leaves r0 there; for
 * each function whose address is taken, `f<slot>(frame)` does the same with all arguments; the
 * loops of batch.ts.
 */

import * as code from "../interpreter/code.ts"
import { type Executable, FUNCTION_TAG } from "../interpreter/machine.ts"
import { BPF_PSEUDO_KFUNC_CALL } from "../isa/index.ts"
import { BATCH_PARAMETERS, batchBody, REPEAT_PARAMETERS, repeatBody } from "./batch.ts"
import { TAIL_CALL } from "./calls.ts"
import { collectBlocks, END, findLeaders, functionStarts } from "./cfg.ts"
import { chunkType, cutFunction, emitChunked } from "./chunks.ts"
import { packetEscapes } from "./escapes.ts"
import { emitFunction } from "./function.ts"
import { AREA } from "./layout.ts"
import { type LiveFunction, liveAtStart } from "./liveness.ts"
import { functionBody, ModuleBuilder } from "./module.ts"
import { I32, I64, op } from "./opcodes.ts"
import { type CompiledModule, type CompileOptions, HOST_IMPORTS } from "./options.ts"
import { type FunctionInfo, ProgramContext } from "./program.ts"
import { type Structure, structureGraph } from "./structure.ts"
import { findValues } from "./values.ts"
import { Writer } from "./writer.ts"

/** Slots of a function that is written into its callers, at most. */
const INLINE_SLOTS_MAX = 32
/** The same for a function that is called from one place. */
const INLINE_ONCE_SLOTS_MAX = 1024

/** The analysed program, before any WebAssembly. */
export function analyse(executable: Executable<never>, options: CompileOptions): ProgramContext {
  const program = executable as code.Code<never>
  const module = new ModuleBuilder({
    shared: options.shared === true,
    maximum: options.memoryPagesMax ?? 0,
  })
  const context = new ProgramContext(program, options, module)
  const leaders = findLeaders(program)
  const blockAt = new Int32Array(program.length + 1).fill(-1)
  const starts = functionStarts(program)
  const structures = starts.map((slot) =>
    structureGraph(collectBlocks(program, slot, leaders, blockAt, context.facts)),
  )
  starts.forEach((slot, index) => {
    context.bySlot.set(slot, index)
  })
  const graphs = structures.map(({ graph }) => graph)
  const live = liveAtStart(
    program,
    graphs.map((graph): LiveFunction => ({ graph })),
    context.bySlot,
    (slot) => argumentCount(context, slot),
  )
  const taken = addressesTaken(program)
  const values = findValues(program, graphs, context.bySlot, taken, {
    contextFields: options.contextFields ?? [],
  })
  const inlined = chooseInlined(context, structures, taken)
  context.functions = starts.map((slot, index): FunctionInfo => {
    const parameters =
      index === 0 ? [1] : [1, 2, 3, 4, 5].filter((n) => (live[index] & (1 << n)) !== 0)
    return {
      index,
      slot,
      structure: structures[index],
      values: values[index],
      live: live[index],
      parameters,
      type: module.type([...parameters.map(() => I64), I32], [I64]),
      inlined: inlined[index],
      moduleIndex: -1,
    }
  })
  context.tagsPackets = packetEscapes(context, context.functions, (slot) =>
    argumentCount(context, slot),
  )
  return context
}

function argumentCount({ code: program, options }: ProgramContext, slot: number): number {
  const at = slot * code.WORDS
  const imm = program.words[at + code.WORD_IMM]
  const isKfunc = program.words[at + code.WORD_SRC] >> 1 === BPF_PSEUDO_KFUNC_CALL
  if (!isKfunc && imm === TAIL_CALL) return 5
  return options.argumentCount?.(isKfunc ? "kfunc" : "helper", imm) ?? 5
}

/** First slots of functions whose address is somewhere a constant. */
function addressesTaken({ constants }: code.Code<never>): Set<number> {
  const taken = new Set<number>()
  for (let index = 0; index < constants.length; index += 2)
    if (constants[index + 1] === FUNCTION_TAG) taken.add(constants[index])
  return taken
}

/**
 * Functions that are written in place: small leaves without loops, and those that are called from
 * one place only. A tail call has to leave a function of its own, and what is recursive cannot be
 * written into itself.
 */
function chooseInlined(
  context: ProgramContext,
  structures: readonly Structure[],
  taken: ReadonlySet<number>,
): boolean[] {
  const { words } = context.code
  const callers = new Int32Array(structures.length)
  const calls: number[][] = structures.map(() => [])
  const slots = new Int32Array(structures.length)
  const isBarred = structures.map(({ graph }, index) => index === 0 || taken.has(graph.slot))
  structures.forEach(({ graph }, index) => {
    for (let block = 0; block < graph.count; block++) {
      slots[index] += graph.end[block] - graph.start[block] + 1
      for (let slot = graph.start[block]; slot < graph.end[block]; slot++) {
        const at = slot * code.WORDS
        const operation = words[at + code.WORD_OP]
        if (operation === code.OP_CALL_LOCAL) {
          const callee = context.bySlot.get(words[at + code.WORD_OFF] >> code.WORDS_SHIFT) ?? 0
          callers[callee]++
          calls[index].push(callee)
        } else if (operation === 0x85 && words[at + code.WORD_IMM] === TAIL_CALL)
          isBarred[index] = true
        if (operation === 0x18) slot++
      }
    }
  })
  // Functions that were found to be inlined may only call functions with larger numbers: no circles.
  return structures.map(({ isLoop }, index) => {
    if (isBarred[index] || calls[index].some((callee) => callee <= index)) return false
    if (callers[index] === 1) return slots[index] <= INLINE_ONCE_SLOTS_MAX
    return calls[index].length === 0 && !isLoop.includes(1) && slots[index] <= INLINE_SLOTS_MAX
  })
}

/**
 * Compiles a program that {@link prepare} has made.
 *
 * @throws Error for what the compiler does not take; the interpreter takes everything.
 */
export function compileProgram<E>(
  executable: Executable<E>,
  options: CompileOptions,
): CompiledModule {
  const context = analyse(executable as Executable<never>, options)
  const { module, functions } = context
  declareImports(context)
  let index = module.importCount
  for (const info of functions) if (!info.inlined) info.moduleIndex = index++
  emitFunctions(context, index)
  const taken = [...addressesTaken(context.code)].filter((slot) => context.bySlot.has(slot))
  module.export("main", functions[0].moduleIndex)
  module.export("run", module.function(module.type([I32], []), entry(context, functions[0])))
  const { area, packetFields } = options
  const { moduleIndex: main } = functions[0]
  const repeat = module.type(REPEAT_PARAMETERS, [I32])
  module.export("repeat", module.function(repeat, repeatBody(main, area)))
  if (packetFields != null) {
    const batch = module.type(BATCH_PARAMETERS, [])
    module.export("batch", module.function(batch, batchBody(main, area, packetFields)))
  }
  for (const slot of taken) {
    const body = entry(context, context.functionAt(slot))
    module.export(`f${slot}`, module.function(module.type([I32], []), body))
  }
  return {
    bytes: module.build(),
    imports: module.importNames,
    entries: taken,
    dispatches: functions.reduce((sum, { structure }) => sum + structure.dispatches, 0),
  }
}

/** Writes all functions, and behind them the chunks of those that are too large. */
function emitFunctions(context: ProgramContext, afterFunctions: number): void {
  const { module, functions, options } = context
  const chunkBodies: Uint8Array[] = []
  for (const info of functions) {
    if (info.inlined) continue
    const cut = cutFunction(info, options)
    if (cut === null) {
      module.function(info.type, emitFunction(context, info))
      continue
    }
    const first = afterFunctions + chunkBodies.length
    const { body, chunks } = emitChunked(context, info, cut, (chunk) => first + chunk)
    module.function(info.type, body)
    chunkBodies.push(...chunks)
  }
  for (const body of chunkBodies) module.function(chunkType(context), body)
}

/** The imports that the instructions need: an import costs when the module is instantiated. */
function declareImports(context: ProgramContext): void {
  const { code: program, options, functions } = context
  const names = new Set<string>()
  if (options.checked) names.add(HOST_IMPORTS.check).add(HOST_IMPORTS.enter).add(HOST_IMPORTS.fault)
  if ((options.contextFields ?? []).length > 0) names.add(HOST_IMPORTS.tag)
  for (const { structure } of functions) {
    if (structure.isLoop.includes(1)) names.add(HOST_IMPORTS.exhausted)
    if (structure.graph.kind.includes(END.invalid)) names.add(HOST_IMPORTS.fault)
  }
  for (let slot = 0; slot < program.length; slot++) {
    const at = slot * code.WORDS
    const operation = program.words[at + code.WORD_OP]
    const imm = program.words[at + code.WORD_IMM]
    if (operation === code.OP_CALL_REGISTER) names.add(HOST_IMPORTS.callx)
    else if (operation === 0x85) {
      const isKfunc = program.words[at + code.WORD_SRC] >> 1 === BPF_PSEUDO_KFUNC_CALL
      if (!isKfunc && imm === TAIL_CALL) names.add(HOST_IMPORTS.tail)
      else context.helper(program.words[at + code.WORD_HELPER])
      if (isKfunc) continue
      if (options.inline?.loops?.(imm)) names.add(HOST_IMPORTS.exhausted)
      options.inline?.declare?.(imm, (name, parameters, results) => {
        context.module.import(name, parameters, results)
      })
    } else if (operation < 0x100 && (operation & 7) === 0 && operation !== 0x18)
      names.add(HOST_IMPORTS.packet)
    if (operation === 0x18) slot++
  }
  names.add(HOST_IMPORTS.probe)
  for (const name of names) context.host(name)
}

/** (frame): arguments from the area, r0 to it. */
function entry(context: ProgramContext, info: FunctionInfo): Uint8Array {
  const writer = new Writer(64)
  const { area } = context.options
  writer.i32(0)
  if (info.inlined) throw new Error("an inlined function has no entry")
  for (const register of info.parameters) {
    writer.i32(0)
    writer.memory(op.i64_load, area + AREA.REGISTERS + 8 * register)
  }
  writer.get(0)
  writer.call(info.moduleIndex)
  writer.memory(op.i64_store, area + AREA.REGISTERS)
  writer.byte(op.end)
  return functionBody([], writer.finished())
}
