/** kfuncs on the pages of an arena (linux v6.18 kernel/bpf/arena.c). */

import { REGION_TAG } from "../../../interpreter/index.ts"
import { ArenaMap } from "../../maps/index.ts"
import { answersInt, faults, type HelperMachine, type KfuncTable, mapArgument } from "../support.ts"

/** Any NUMA node will do. */
const NUMA_NO_NODE = -1

function arenaArgument(machine: HelperMachine): ArenaMap | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined || map instanceof ArenaMap) return map
  return faults(machine, "the map is no arena")
}

/** void *bpf_arena_alloc_pages(map, addr, page_cnt, node_id, flags) */
function allocPages(machine: HelperMachine): void {
  const arena = arenaArgument(machine)
  if (arena === undefined) return
  const node = machine.low(4)
  const refused =
    machine.low(5) !== 0 || machine.high(5) !== 0 || (node !== NUMA_NO_NODE && node !== 0)
  const pages = refused ? 0 : arena.allocatePages(machine.low(2), machine.low(3) >>> 0)
  machine.setResult64(pages, pages === 0 ? 0 : REGION_TAG | arena.valueRegion)
}

/** void bpf_arena_free_pages(map, ptr, page_cnt) */
function freePages(machine: HelperMachine): void {
  const arena = arenaArgument(machine)
  if (arena === undefined) return
  if (machine.low(2) !== 0) arena.freePages(machine.low(2), machine.low(3) >>> 0)
  machine.setResult(0)
}

/** int bpf_arena_reserve_pages(map, ptr, page_cnt) */
function reservePages(machine: HelperMachine): number | undefined {
  return arenaArgument(machine)?.reservePages(machine.low(2), machine.low(3) >>> 0)
}

export const arenaKfuncs: KfuncTable = {
  bpf_arena_alloc_pages: allocPages,
  bpf_arena_free_pages: freePages,
  bpf_arena_reserve_pages: answersInt(reservePages),
}
