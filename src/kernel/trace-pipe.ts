/** `trace_pipe`: the lines that bpf_trace_printk wrote, in order, for one reader at a time. */

/** Lines that are kept until somebody reads them; older ones are dropped and counted. */
const LINES_MAX = 65_536

export class TracePipe {
  private lines: string[] = []
  private waiting: (() => void) | null = null
  private readonly listeners = new Set<(line: string) => void>()
  /** Lines dropped because nobody read them. */
  lost = 0

  append(line: string): void {
    for (const listener of this.listeners) listener(line)
    if (this.lines.length >= LINES_MAX) {
      this.lines.shift()
      this.lost++
    }
    this.lines.push(line)
    this.waiting?.()
    this.waiting = null
  }

  /** Calls back for each line from now on; returns the cancelling function. */
  listen(listener: (line: string) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** What is there now; it is taken out of the pipe. */
  drain(): string[] {
    const taken = this.lines
    this.lines = []
    return taken
  }

  /** Lines as they come, until `signal` aborts. */
  async *follow(signal?: AbortSignal): AsyncGenerator<string> {
    while (!(signal?.aborted ?? false)) {
      const ready = this.drain()
      if (ready.length > 0) yield* ready
      else
        await new Promise<void>((resolve) => {
          this.waiting = resolve
          signal?.addEventListener("abort", () => resolve(), { once: true })
        })
    }
  }
}
