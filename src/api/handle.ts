/**
 * Everything that holds a file descriptor of a kernel. Handles are closed by `using` or `close()`,
 * never by garbage collection; one that is collected while open is reported once, with the stack
 * that made it.
 */

import type { KernelInterface } from "../spec/index.ts"

interface Leak {
  readonly what: string
  readonly stack: string
}

const leaks = new FinalizationRegistry<Leak>(({ what, stack }) => {
  console.warn(
    `skep: ${what} was garbage-collected while open; use \`using\` or close(). Created ${stack}`,
  )
})

/** Whether leak reports keep the stack of every handle's creation. Costs about 10 µs a handle. */
let tracing = false

/** Turns leak reports on or off (off by default). */
export function reportLeaks(on: boolean): void {
  tracing = on
}

export abstract class Handle implements Disposable {
  readonly fd: number
  protected readonly kernel: KernelInterface
  private open = true

  protected constructor(kernel: KernelInterface, fd: number, what: string) {
    this.kernel = kernel
    this.fd = fd
    if (tracing) {
      const stack = new Error(what).stack?.split("\n").slice(3).join("\n").trim() ?? ""
      leaks.register(this, { what, stack }, this)
    }
  }

  /** Whether the handle has been closed. */
  get closed(): boolean {
    return !this.open
  }

  /** Gives the descriptor back. The object lives on while something else refers to it. */
  close(): void {
    if (!this.open) return
    this.open = false
    if (tracing) leaks.unregister(this)
    this.onClose()
    this.kernel.close(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** What a subclass stops before the descriptor goes. */
  protected onClose(): void {}
}
