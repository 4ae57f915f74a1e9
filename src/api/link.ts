/** A live attachment. Closing (or leaving the scope of `using`) detaches, unless it is pinned. */

import { viewOf } from "../base/index.ts"
import { type KernelInterface, linkTypeName } from "../spec/index.ts"
import { check } from "./failure.ts"
import { Handle } from "./handle.ts"

export interface LinkInfo {
  readonly id: number
  /** `xdp`, `tcx`, `cgroup`, `tracing`, `raw_tracepoint`, `perf_event`… */
  readonly type: string
  readonly programId: number
}

/** Bytes that are read of an iterator at once. */
const CHUNK_BYTES = 32768
/** -EOPNOTSUPP, of a kernel whose descriptors cannot be read. */
const NOT_SUPPORTED = -95

export class Link extends Handle {
  constructor(kernel: KernelInterface, fd: number) {
    super(kernel, fd, "link")
  }

  get id(): number {
    return this.info().id
  }

  get type(): string {
    return this.info().type
  }

  /** Puts another program of the same type in place, without a gap. */
  update(program: { readonly fd: number }): void {
    const attr = { link_fd: this.fd, new_prog_fd: program.fd }
    check(this.kernel.bpf("LINK_UPDATE", attr), "LINK_UPDATE", "link")
  }

  /** Detaches now; the descriptor stays open. EOPNOTSUPP for kinds that Linux cannot detach. */
  detach(): void {
    check(this.kernel.bpf("LINK_DETACH", { link_fd: this.fd }), "LINK_DETACH", "link")
  }

  /** Keeps the attachment beyond this process's descriptor. */
  pin(path: string): void {
    const attr = { pathname: path, bpf_fd: this.fd }
    check(this.kernel.bpf("OBJ_PIN", attr), "OBJ_PIN", `link at ${path}`)
  }

  /**
   * What an iterator writes, from the start to the end.
   *
   * @throws BpfError EINVAL for a link of another kind, and what reading answers.
   */
  text(): string {
    const { kernel } = this
    const fd = check(kernel.bpf("ITER_CREATE", { link_fd: this.fd }), "ITER_CREATE", "link")
    const read = kernel.read?.bind(kernel)
    try {
      const decoder = new TextDecoder()
      const chunk = new Uint8Array(CHUNK_BYTES)
      let text = ""
      for (;;) {
        const count = check(read?.(fd, chunk) ?? NOT_SUPPORTED, "read", "iterator")
        if (count === 0) return text + decoder.decode()
        text += decoder.decode(chunk.subarray(0, count), { stream: true })
      }
    } finally {
      kernel.close(fd)
    }
  }

  info(): LinkInfo {
    return readLinkInfo(this.kernel, this.fd)
  }
}

/** OBJ_GET_INFO_BY_FD of a link. */
export function readLinkInfo(kernel: KernelInterface, fd: number): LinkInfo {
  const info = new Uint8Array(12)
  check(kernel.bpf("OBJ_GET_INFO_BY_FD", { bpf_fd: fd, info }), "OBJ_GET_INFO_BY_FD", "link")
  const view = viewOf(info)
  return {
    type: linkTypeName(view.getUint32(0, true)),
    id: view.getUint32(4, true),
    programId: view.getUint32(8, true),
  }
}

/** Several links that are closed together, last one first. */
export class LinkSet implements Disposable {
  readonly links: readonly Link[]

  constructor(links: readonly Link[]) {
    this.links = links
  }

  close(): void {
    for (const link of [...this.links].reverse()) link.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
