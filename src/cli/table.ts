/** Aligned text for people: columns, bars, numbers with separators. */

import type { Colors } from "./context.ts"

/** One column of a table. */
export interface Column {
  readonly title: string
  /** Numbers are easier to compare with their ends in line. */
  readonly align?: "left" | "right"
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
const CONTROL = /\u001b\[[0-9;]*m/g

/** Characters on the screen: colours take no room. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text.replace(CONTROL, "")) {
    const code = character.codePointAt(0) ?? 0
    // East Asian wide characters and emoji take two cells.
    const wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xffdc)
    width += wide || code >= 0x1f300 ? 2 : 1
  }
  return width
}

/** Pads to a width on the screen. */
export function pad(text: string, width: number, align: Column["align"] = "left"): string {
  const space = " ".repeat(Math.max(0, width - textWidth(text)))
  return align === "right" ? space + text : text + space
}

/** Rows under a dim head, indented by two. No trailing spaces. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colors: Colors,
  indent = "  ",
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...rows.map((row) => textWidth(row[index] ?? ""))),
  )
  const line = (cells: readonly string[]): string =>
    (
      indent + cells.map((cell, index) => pad(cell, widths[index], columns[index].align)).join("  ")
    ).trimEnd()
  const lines = rows.map(line)
  if (columns.some(({ title }) => title !== ""))
    lines.unshift(colors.dim(line(columns.map(({ title }) => title))))
  return lines.join("\n")
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

/** A horizontal bar: `share` (0 to 1) of `width` characters, to an eighth of one. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * width * 8)
  // What is there is seen, however small.
  if (eighths === 0) return share > 0 ? EIGHTHS[1] : ""
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]
}

/** `1,234,567`. */
export function count(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",")
}

/** `12.5 %`; `< 0.1 %` for what would be rounded away. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return "-"
  const share = (100 * part) / whole
  return share > 0 && share < 0.05 ? "<0.1 %" : `${share.toFixed(1)} %`
}

/** `1 packet`, `2 packets`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** `512 B`, `1.5 KB`, `3.2 MB`: powers of 1000. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ["KB", "MB", "GB", "TB"]
  let value = bytes
  let unit = -1
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
