/** Counts of what two verifiers said about many programs, and their times. */

import { type Answer, answerText, type Judgement, judge } from "../../../src/tools/verify/index.ts"

/** Programs above so many processed instructions have their times compared. */
export const TIMED_ABOVE = 1000

export interface Difference {
  readonly is: Judgement
  readonly text: string
}

/** The figures that `npm run agreement` prints. */
export interface Figures {
  readonly programs: number
  readonly equalVerdicts: number
  readonly unsoundAccepts: number
  readonly falseRejects: number
  readonly errnoDifferences: number
  readonly messageDifferences: number
  readonly equalCounts: number
  readonly notJudged: Readonly<Record<string, number>>
  /** Ours divided by Linux's, of programs with more than {@link TIMED_ABOVE} instructions. */
  readonly time: {
    readonly programs: number
    readonly median: number
    readonly total: number
    readonly max: number
    readonly slowest: string
  }
}

interface Timed {
  readonly name: string
  readonly ours: number
  readonly linux: number
}

/** Adds up answers, one object after another. */
export class Summary {
  readonly differences: Difference[] = []
  private readonly counts = new Map<Judgement, number>()
  private readonly reasons: Record<string, number> = {}
  private readonly timed: Timed[] = []
  private equalCounts = 0

  /** Returns a line when the answers differ, null when they are equal. */
  add(object: string, answer: Answer): string | null {
    const { is, reason } = judge(answer)
    this.counts.set(is, (this.counts.get(is) ?? 0) + 1)
    const name = `${object} ${answer.program}`
    if (is === "not judged") {
      this.reasons[reason] = (this.reasons[reason] ?? 0) + 1
      return null
    }
    const [ours, linux] = answer.processed
    if (ours === linux) this.equalCounts++
    if (linux > TIMED_ABOVE && answer.microseconds[1] > 0)
      this.timed.push({ name, ours: answer.microseconds[0], linux: answer.microseconds[1] })
    if (is === "equal")
      return ours === linux ? null : `other count: ${object}: ${answerText(answer)}`
    const text = `${is}: ${object}: ${answerText(answer)}`
    this.differences.push({ is, text })
    return text
  }

  private count(is: Judgement): number {
    return this.counts.get(is) ?? 0
  }

  figures(): Figures {
    const unsoundAccepts = this.count("unsound accept")
    const falseRejects = this.count("false reject")
    const errnoDifferences = this.count("other errno")
    const messageDifferences = this.count("other message")
    const equalVerdicts = this.count("equal") + errnoDifferences + messageDifferences
    return {
      programs: equalVerdicts + unsoundAccepts + falseRejects,
      equalVerdicts,
      unsoundAccepts,
      falseRejects,
      errnoDifferences,
      messageDifferences,
      equalCounts: this.equalCounts,
      notJudged: this.reasons,
      time: this.times(),
    }
  }

  private times(): Figures["time"] {
    const sorted = this.timed
      .map(({ name, ours, linux }) => ({ name, ratio: ours / linux }))
      .sort((a, b) => a.ratio - b.ratio)
    const sum = (pick: (one: Timed) => number) =>
      this.timed.reduce((total, one) => total + pick(one), 0)
    const total = sum(({ ours }) => ours) / sum(({ linux }) => linux)
    const slowest = sorted.at(-1)
    return {
      programs: sorted.length,
      median: sorted[sorted.length >> 1]?.ratio ?? 0,
      total: Number.isNaN(total) ? 0 : total,
      max: slowest?.ratio ?? 0,
      slowest: slowest?.name ?? "",
    }
  }
}

/** The figures as lines. */
export function figuresText(figures: Figures): string {
  const { time, notJudged } = figures
  const lines = [
    `programs ${figures.programs}`,
    `equal verdicts ${figures.equalVerdicts}`,
    `unsound accepts ${figures.unsoundAccepts}`,
    `false rejects ${figures.falseRejects}`,
    `errno differences ${figures.errnoDifferences}`,
    `message differences ${figures.messageDifferences}`,
    `equal instruction counts ${figures.equalCounts}`,
  ]
  for (const [reason, count] of Object.entries(notJudged))
    lines.push(`not judged ${count}: ${reason}`)
  if (time.programs > 0)
    lines.push(
      `time, ours / linux, ${time.programs} programs above ${TIMED_ABOVE} instructions: ` +
        `median ${time.median.toFixed(2)}, total ${time.total.toFixed(2)}, ` +
        `max ${time.max.toFixed(2)} (${time.slowest})`,
    )
  return lines.join("\n")
}
