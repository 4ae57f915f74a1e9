/**
 * The log's text: pieces appended, and cut back to a position. When it grows beyond its limit the
 * beginning is dropped, as Linux's rotating log does.
 */

/** Pieces that are joined at a time. */
const PIECES_MAX = 4096

export class Log {
  readonly level: number
  private readonly limit: number
  private pieces: string[] = []
  /** Characters in all, those that were dropped too. */
  private length = 0

  constructor(level: number, limit: number) {
    this.level = level
    this.limit = limit
  }

  /** Characters so far: what {@link reset} goes back to. */
  get position(): number {
    return this.length
  }

  write(text: string): void {
    this.pieces.push(text)
    this.length += text.length
    if (this.pieces.length > PIECES_MAX) this.flatten()
  }

  /** Forgets what was written after `position`; nothing when that was dropped already. */
  reset(position: number): void {
    while (this.length > position) {
      const last = this.pieces.pop()
      if (last === undefined) {
        this.length = position
        return
      }
      this.length -= last.length
      if (this.length < position) {
        this.pieces.push(last.slice(0, position - this.length))
        this.length = position
      }
    }
  }

  text(): string {
    this.flatten()
    return this.pieces.join("")
  }

  private flatten(): void {
    const whole = this.pieces.join("")
    const excess = whole.length - this.limit
    this.pieces = [excess > 0 ? whole.slice(excess) : whole]
  }
}
