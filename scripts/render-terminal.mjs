// Renders what a command prints, colours included, as an SVG picture of a terminal.
//
//     node scripts/render-terminal.mjs OUT.svg [--title TEXT] [--head N] -- COMMAND [ARGUMENT…]
//
// `npm run --silent start` and `skep run` in the README are pictures made by this.
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"

const CELL = { width: 8.4, height: 19 }
const PADDING = 16
const BAR = 34
/** SGR colour numbers 30 to 37, then 90 to 97. */
const COLOURS = [
  ["#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#bac2de"],
  ["#7f849c", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#ffffff"],
]
const FOREGROUND = "#cdd6f4"
const DIM = "#7f849c"
const BACKGROUND = "#1e1e2e"
/** A column of cells is filled from the left by so many eighths. */
const BLOCKS = { "█": 8, "▉": 7, "▊": 6, "▋": 5, "▌": 4, "▍": 3, "▎": 2, "▏": 1 }

/** The state after the parameters of one `ESC [ … m`. */
function applySgr(state, parameters) {
  const next = { ...state }
  for (const code of parameters.split(";").map(Number)) {
    if (code === 0) Object.assign(next, { bold: false, dim: false, underline: false, colour: null })
    else if (code === 1) next.bold = true
    else if (code === 2) next.dim = true
    else if (code === 4) next.underline = true
    else if (code === 22) Object.assign(next, { bold: false, dim: false })
    else if (code === 24) next.underline = false
    else if (code === 39) next.colour = null
    else if (code >= 30 && code <= 37) next.colour = COLOURS[0][code - 30]
    else if (code >= 90 && code <= 97) next.colour = COLOURS[1][code - 90]
  }
  return next
}

/** Lines of runs: text of one style with the column where it begins. */
function parse(output) {
  let state = { bold: false, dim: false, underline: false, colour: null }
  return output.split("\n").map((line) => {
    const runs = []
    let column = 0
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ANSI escapes are what is looked for
    for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
      const sgr = part.match(/^\u001b\[([0-9;]*)m$/)
      if (sgr !== null) state = applySgr(state, sgr[1] === "" ? "0" : sgr[1])
      else if (part !== "") {
        runs.push({ ...state, column, text: part })
        column += [...part].length
      }
    }
    return runs
  })
}

const escapeXml = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;")
const round = (value) => Math.round(value * 10) / 10

/** One run: block characters as rectangles, so that bars have no gaps, other words as text. */
function renderRun(run, y) {
  const fill = run.colour ?? (run.dim ? DIM : FOREGROUND)
  const parts = []
  let column = run.column
  for (const piece of run.text.split(/([█▉▊▋▌▍▎▏]+|\s{2,})/)) {
    const length = [...piece].length
    const x = round(PADDING + column * CELL.width)
    if (BLOCKS[piece[0]] !== undefined) {
      const last = BLOCKS[[...piece].at(-1)]
      const width = round((length - 1 + last / 8) * CELL.width)
      parts.push(`<rect x="${x}" y="${y - 13}" width="${width}" height="13" fill="${fill}"/>`)
    } else if (piece.trim() !== "") {
      const weight = run.bold ? ' font-weight="bold"' : ""
      const line = run.underline ? ' text-decoration="underline"' : ""
      parts.push(
        `<text x="${x}" y="${y}" fill="${fill}"${weight}${line} textLength="${round(length * CELL.width)}">${escapeXml(piece)}</text>`,
      )
    }
    column += length
  }
  return parts.join("")
}

function render(lines, title) {
  const columns = Math.max(
    60,
    ...lines.flatMap((runs) => runs.map((run) => run.column + [...run.text].length)),
  )
  const width = Math.ceil(columns * CELL.width + 2 * PADDING)
  const height = BAR + lines.length * CELL.height + PADDING
  const rows = lines
    .map((runs, row) => {
      const y = BAR + (row + 1) * CELL.height - 4
      return runs.map((run) => renderRun(run, y)).join("")
    })
    .filter((row) => row !== "")
  const buttons = ["#f38ba8", "#f9e2af", "#a6e3a1"]
    .map((fill, index) => `<circle cx="${18 + 18 * index}" cy="17" r="5.5" fill="${fill}"/>`)
    .join("")
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>
${buttons}<text x="${width / 2}" y="21" text-anchor="middle" font-family="sans-serif" font-size="12" fill="${DIM}">${escapeXml(title)}</text>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve" lengthAdjust="spacingAndGlyphs">
${rows.join("\n")}
</g>
</svg>
`
}

function main(args) {
  const split = args.indexOf("--")
  if (split < 1) {
    console.error("render-terminal OUT.svg [--title TEXT] [--head N] -- COMMAND [ARGUMENT…]")
    return 2
  }
  const option = (name) => {
    const at = args.indexOf(name)
    return at < 0 || at > split ? undefined : args[at + 1]
  }
  const [command, ...rest] = args.slice(split + 1)
  const { stdout, stderr, status, error } = spawnSync(command, rest, {
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "1", NO_COLOR: "", COLUMNS: "100" },
    maxBuffer: 16 << 20,
  })
  if (error !== undefined || status !== 0) {
    console.error(`${command}: ${error?.message ?? `exit code ${status}`}\n${stderr ?? ""}`)
    return 1
  }
  let text = stdout.replace(/^\n+|\s+$/g, "")
  const head = option("--head")
  if (head !== undefined) text = text.split("\n").slice(0, Number(head)).join("\n")
  writeFileSync(args[0], render(parse(text), option("--title") ?? args.slice(split + 1).join(" ")))
  return 0
}

process.exitCode = main(process.argv.slice(2))
