/**
 * The Node process itself as a task of an embedded kernel: garbage collections, event-loop delay,
 * HTTP, connections and file calls of this process fire tracepoints and USDT probes there, through
 * Node's own diagnostics (perf_hooks, diagnostics_channel) and without native code.
 *
 * ```text
 * USDT of the executable                    tracepoint
 * node:gc__start(kind, flags)               node:gc_start           kind, flags
 * node:gc__done(kind, flags)                node:gc_done            kind, flags, duration_ns
 * node:http__server__request(method, url)   node:http_server_request   method, url
 * node:http__server__response(…, status)    node:http_server_response  method, url, status, duration_ns
 * node:http__client__request, __response    node:http_client_request, …_response
 *                                           node:event_loop_delay   min_ns, mean_ns, max_ns
 *                                           node:net_connect        host, port, duration_ns
 *                                           syscalls:sys_enter_openat, sys_exit_openat… for file calls
 * ```
 *
 * The kernel's clock follows the real one while this runs; what Node reports afterwards (collections,
 * connections) is put at the time when it began, or at the kernel's present if that is later.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks"
import type { EmbeddedKernel, Process } from "../../api/embedded.ts"
import { watchFileCalls } from "./file-calls.ts"

export interface NodeEventsOptions {
  /** The executable whose probes fire: that of this process by default. */
  readonly executable?: string
  /** Milliseconds between reports of the event loop's delay; 0: none. 100 by default. */
  readonly loopIntervalMs?: number
  /** False: calls of `node:fs` are left alone. */
  readonly files?: boolean
}

/** The watched process, until it is closed. */
export interface NodeEvents extends Disposable {
  /** What bpf_get_current_* see. */
  readonly task: Process
  /** Brings the kernel's clock up to now. */
  sync(): void
  close(): void
}

const PROBES: readonly string[] = [
  "node:gc__start",
  "node:gc__done",
  "node:http__server__request",
  "node:http__server__response",
  "node:http__client__request",
  "node:http__client__response",
]
const NANOSECONDS_PER_MILLISECOND = 1_000_000
const LOOP_INTERVAL_MS = 100
const LOOP_RESOLUTION_MS = 10

/**
 * Lets programs in `kernel` see what this process does.
 *
 * @example
 * using node = nodeProcessEvents(kernel)
 * // usdt:…:node:gc__start and tracepoint:node:gc_done programs run from here on
 */
export function nodeProcessEvents(
  kernel: EmbeddedKernel,
  options: NodeEventsOptions = {},
): NodeEvents {
  return new Watcher(kernel, options)
}

interface GcDetail {
  readonly kind?: number
  readonly flags?: number
}

interface NetDetail {
  readonly host?: string
  readonly port?: number
}

/** As much of an http.ClientRequest or IncomingMessage as is looked at. */
interface Request {
  readonly method?: string
  readonly path?: string
  readonly url?: string
}

interface HttpMessage {
  readonly request: Request
  readonly response?: { readonly statusCode?: number }
}

class Watcher implements NodeEvents {
  readonly task: Process
  private readonly kernel: EmbeddedKernel
  private readonly executable: string
  private readonly startMs: number
  private readonly startNs: bigint
  private readonly ends: (() => void)[] = []
  /** When requests began, in milliseconds of `performance.now()`. */
  private readonly began = new WeakMap<object, number>()
  /** Guards against events that programs' readers cause themselves. */
  private isFiring = false

  constructor(kernel: EmbeddedKernel, options: NodeEventsOptions) {
    this.kernel = kernel
    this.executable = options.executable ?? process.execPath
    this.startMs = performance.now()
    this.startNs = kernel.clock.now()
    kernel.executable(this.executable, {
      usdt: PROBES,
      // The spelling of guides that write one underscore.
      usdtAliases: Object.fromEntries(PROBES.map((name) => [name.replaceAll("__", "_"), name])),
    })
    const uid = process.getuid?.() ?? 0
    const known = kernel.engine.tasks.find(process.pid) as Process | undefined
    this.task = known ?? kernel.spawn({ pid: process.pid, comm: "node", uid })
    this.task.group.exe = kernel.files.find(this.executable) ?? null
    this.watchPerformance()
    this.watchHttp()
    this.watchLoop(options.loopIntervalMs ?? LOOP_INTERVAL_MS)
    if (options.files !== false) this.ends.push(watchFileCalls((call) => this.fileCall(call)))
  }

  sync(): void {
    this.moveTo(performance.now())
  }

  close(): void {
    for (const end of this.ends.splice(0)) end()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private moveTo(milliseconds: number): void {
    const passed = BigInt(Math.round((milliseconds - this.startMs) * NANOSECONDS_PER_MILLISECOND))
    const ahead = this.startNs + passed - this.kernel.clock.now()
    if (ahead > 0n) this.kernel.clock.advance(ahead)
  }

  /** Runs what fires events, at a time; events inside of it are not this process's. */
  private at(milliseconds: number, fire: () => void): void {
    if (this.isFiring) return
    this.isFiring = true
    try {
      this.moveTo(milliseconds)
      fire()
    } finally {
      this.isFiring = false
    }
  }

  private tracepoint(name: string, fields: Parameters<EmbeddedKernel["emit"]>[1]): void {
    this.kernel.emit(name, fields, { task: this.task })
  }

  private watchPerformance(): void {
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { startTime, duration } = entry
        const detail = (entry as { detail?: unknown }).detail ?? {}
        if (entry.entryType === "gc") this.collection(startTime, duration, detail as GcDetail)
        else if (entry.name === "connect") this.connection(startTime, duration, detail as NetDetail)
      }
    })
    observer.observe({ entryTypes: ["gc", "net"] })
    this.ends.push(() => observer.disconnect())
  }

  private collection(startMs: number, durationMs: number, detail: GcDetail): void {
    const { kind = 0, flags = 0 } = detail
    this.at(startMs, () => {
      this.tracepoint("node:gc_start", { kind, flags })
      this.task.usdt("node", "gc__start", [kind, flags], this.executable)
    })
    this.at(startMs + durationMs, () => {
      this.tracepoint("node:gc_done", { kind, flags, duration_ns: nanoseconds(durationMs) })
      this.task.usdt("node", "gc__done", [kind, flags], this.executable)
    })
  }

  private connection(
    startMs: number,
    durationMs: number,
    { host = "", port = 0 }: NetDetail,
  ): void {
    this.at(startMs + durationMs, () =>
      this.tracepoint("node:net_connect", { host, port, duration_ns: nanoseconds(durationMs) }),
    )
  }

  private watchHttp(): void {
    const on = (channel: string, listener: (message: HttpMessage) => void): void => {
      const wrapped = (message: unknown): void => listener(message as HttpMessage)
      subscribe(channel, wrapped)
      this.ends.push(() => unsubscribe(channel, wrapped))
    }
    for (const side of ["client", "server"] as const) {
      on(`http.${side}.request.start`, ({ request }) => this.httpBegins(side, request))
      on(`http.${side}.response.finish`, ({ request, response }) =>
        this.httpEnds(side, request, response?.statusCode ?? 0),
      )
    }
    on("undici:request:create", ({ request }) => this.httpBegins("client", request))
    on("undici:request:headers", ({ request, response }) =>
      this.httpEnds("client", request, response?.statusCode ?? 0),
    )
  }

  private httpBegins(side: "client" | "server", request: Request): void {
    const now = performance.now()
    this.began.set(request, now)
    const { method = "", url = request.path ?? "" } = request
    this.at(now, () => {
      this.tracepoint(`node:http_${side}_request`, { method, url })
      this.task.usdt("node", `http__${side}__request`, [method, url], this.executable)
    })
  }

  private httpEnds(side: "client" | "server", request: Request, status: number): void {
    const now = performance.now()
    const duration_ns = nanoseconds(now - (this.began.get(request) ?? now))
    const { method = "", url = request.path ?? "" } = request
    this.at(now, () => {
      this.tracepoint(`node:http_${side}_response`, { method, url, status, duration_ns })
      this.task.usdt("node", `http__${side}__response`, [method, url, status], this.executable)
    })
  }

  private watchLoop(intervalMs: number): void {
    if (intervalMs === 0) return
    const histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
    histogram.enable()
    const timer = setInterval(() => {
      if (histogram.count === 0) return
      const { min, mean, max } = histogram
      histogram.reset()
      const whole = (value: number): bigint => BigInt(Math.round(value))
      this.at(performance.now(), () =>
        this.tracepoint("node:event_loop_delay", {
          min_ns: whole(min),
          mean_ns: whole(mean),
          max_ns: whole(max),
        }),
      )
    }, intervalMs)
    timer.unref()
    this.ends.push(() => {
      clearInterval(timer)
      histogram.disable()
    })
  }

  private fileCall(call: Parameters<Parameters<typeof watchFileCalls>[0]>[0]): void {
    const { syscall, args } = call
    if (call.phase === "enter")
      this.at(performance.now(), () => this.tracepoint(`syscalls:sys_enter_${syscall}`, args))
    else
      this.at(performance.now(), () =>
        this.tracepoint(`syscalls:sys_exit_${syscall}`, { ret: call.result }),
      )
  }
}

function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.max(0, Math.round(milliseconds * NANOSECONDS_PER_MILLISECOND)))
}
