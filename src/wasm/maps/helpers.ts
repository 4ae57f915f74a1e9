/** Helpers beside the maps' that programs call often and that need nothing but memory. */

import { EINVAL } from "./errno.ts"
import { cpuWord } from "./host.ts"
import { CLOCK_WORD, RANDOM_STATE } from "./layout.ts"

/** bpf_ktime_get_ns, and with virtual time bpf_ktime_get_boot_ns: what the clock has written. */
export function ktime(): u64 {
  return load<u64>(CLOCK_WORD)
}

/** bpf_get_prandom_u32: the next number of src/kernel/random.ts (xoshiro128**). */
export function prandom(): u64 {
  const state = cpuWord + RANDOM_STATE
  const a = load<u32>(state)
  const b = load<u32>(state, 4)
  const c = load<u32>(state, 8) ^ a
  const d = load<u32>(state, 12) ^ b
  store<u32>(state, a ^ d)
  store<u32>(state, b ^ c, 4)
  store<u32>(state, c ^ (b << 9), 8)
  store<u32>(state, rotl<u32>(d, 11), 12)
  return rotl<u32>(b * 5, 7) * 9
}

/**
 * bpf_csum_diff: the checksum difference of two runs of bytes, folded to 16 bits, or -EINVAL for
 * sizes that are no multiples of 4 (linux v6.18 net/core/filter.c).
 */
export function csumDiff(from: u32, fromSize: u32, to: u32, toSize: u32, seed: u32): i32 {
  if ((fromSize | toSize) & 3) return -EINVAL
  if (fromSize === 0) return fold(partial(to, toSize, seed))
  if (toSize === 0) return fold(~partial(from, fromSize, ~seed))
  return fold(add(partial(to, toSize, seed), ~partial(from, fromSize, 0)))
}

/** One's complement sum of words, unfolded; 0 stays apart from 0xffffffff. */
function partial(at: u32, size: u32, seed: u32): u32 {
  let sum: u64 = seed
  const end = at + size
  for (; at < end; at += 4) sum += load<u32>(at)
  while (sum >> 32 !== 0) sum = (sum & 0xffffffff) + (sum >> 32)
  return <u32>sum
}

function add(a: u32, b: u32): u32 {
  const sum = <u64>a + b
  return <u32>sum + <u32>(sum >> 32)
}

function fold(sum: u32): i32 {
  sum = (sum & 0xffff) + (sum >> 16)
  return ((sum & 0xffff) + (sum >> 16)) & 0xffff
}

/** bpf_strncmp: -1, 0 or 1 (linux v6.18 lib/string.c strncmp). */
export function compareText(first: u32, size: u32, second: u32): i32 {
  for (let at: u32 = 0; at < size; at++) {
    const a = load<u8>(first + at)
    const b = load<u8>(second + at)
    if (a !== b) return a < b ? -1 : 1
    if (a === 0) break
  }
  return 0
}
