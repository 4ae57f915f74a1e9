/** What a program's return value is called, by program type. */

import { BPF_PROG_TYPE, SK_ACTION, TC_ACTION, XDP_ACTION } from "../spec/index.ts"

type Names = Readonly<Record<string, number>>

const NAMES: Readonly<Record<number, Names>> = {
  [BPF_PROG_TYPE.BPF_PROG_TYPE_XDP]: XDP_ACTION,
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS]: TC_ACTION,
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_ACT]: TC_ACTION,
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_SKB]: SK_ACTION,
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_MSG]: SK_ACTION,
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_LOOKUP]: SK_ACTION,
}

/** `XDP_DROP` for (xdp, 1); undefined where a type has no names or the value none. */
export function verdictName(programType: number, value: number): string | undefined {
  const names = NAMES[programType]
  if (names === undefined) return undefined
  return Object.keys(names).find((name) => names[name] === (value | 0))
}
