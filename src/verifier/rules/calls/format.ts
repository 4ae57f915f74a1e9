/**
 * Format strings of bpf_snprintf(): known when the program is loaded, so wrong ones are refused.
 *
 * Source: linux v6.18 kernel/bpf/helpers.c bpf_bprintf_prepare.
 */

const space = /[\s\v\f]/
const punctuation = /[!-/:-@[-`{-~]/

/** The character after a specifier ends it: the end, a space or punctuation. */
function ends(character: string | undefined): boolean {
  return character === undefined || space.test(character) || punctuation.test(character)
}

/** The position after `p…` or `-1`: what a pointer specifier may say. */
function pointerEnd(format: string, at: number): number {
  const next = format[at + 1]
  if (ends(next)) return at + 1
  if ((next === "k" || next === "u") && format[at + 2] === "s")
    return ends(format[at + 3]) ? at + 3 : -1
  if (next === "K" || next === "x" || next === "s" || next === "S" || next === "B") return at + 2
  const address = (next === "i" || next === "I") && /[46]/.test(format[at + 2] ?? "")
  return address ? at + 3 : -1
}

/** The position after the conversion that starts at `at`, or -1 for one that is none. */
function specifierEnd(format: string, at: number): number {
  while (/[0+\- ]/.test(format[at] ?? "")) at++
  if (/[1-9]/.test(format[at] ?? "")) while (/[0-9]/.test(format[at] ?? "")) at++
  if (format[at] === "p") return pointerEnd(format, at)
  if (format[at] === "s") return ends(format[at + 1]) ? at + 1 : -1
  if (format[at] === "c") return at + 1
  if (format[at] === "l") at++
  if (format[at] === "l") at++
  return /[iduxX]/.test(format[at] ?? "") ? at + 1 : -1
}

/** Whether a format is well-formed and needs no more than `arguments_` values. */
export function validFormat(format: string, arguments_: number): boolean {
  let specifiers = 0
  for (let at = 0; at < format.length; at++) {
    const character = format[at]
    if (!/[ -~\x80-\xff]/.test(character) && !space.test(character)) return false
    if (character !== "%") continue
    if (format[at + 1] === "%") {
      at++
      continue
    }
    if (specifiers++ >= arguments_) return false
    const end = specifierEnd(format, at + 1)
    if (end < 0) return false
    at = end - 1
  }
  return true
}
