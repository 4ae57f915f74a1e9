/** The log's text: pieces appended, and cut back to a position. */

export class Log {
  readonly level: number
  private readonly limit: number
  private pieces: string[] = []
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
    if (this.pieces.length > 4096) this.flatten()
  }

  /** Forgets what was written after `position`. */
  reset(position: number): void {
    if (position >= this.length) return
    while (this.length > position) {
      const last = this.pieces.pop()!
      this.length -= last.length
      if (this.length < position) {
        const kept = last.slice(0, position - this.length)
        this.pieces.push(kept)
        this.length += kept.length
        return
      }
    }
  }

  text(): string {
    this.flatten()
    return this.pieces.join("")
  }

  /** Keeps the end when there is more than the limit, as Linux's rotating log does. */
  private flatten(): void {
    const whole = this.pieces.join("")
    this.pieces = [whole]
    if (this.limit < whole.length) this.pieces = [whole.slice(whole.length - this.limit)]
  }
}
