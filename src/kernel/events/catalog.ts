/**
 * The tracepoints of the virtual world: group, name, and the record that tracepoint programs get.
 * System calls have theirs made from the table in syscalls.ts.
 */

import { SYSCALLS } from "./syscalls.ts"

export interface TracepointDefinition {
  readonly group: string
  readonly name: string
  /** Struct of the record, without `trace_event_raw_`. */
  readonly record: string
}

/** `group: name…` with `name=record` where the record is another event's or a class's. */
const TRACEPOINTS: Readonly<Record<string, string>> = {
  sched:
    "sched_switch sched_wakeup=sched_wakeup_template sched_wakeup_new=sched_wakeup_template sched_waking=sched_wakeup_template sched_process_exit sched_process_fork sched_process_exec sched_process_free=sched_process_template sched_process_wait sched_migrate_task",
  raw_syscalls: "sys_enter sys_exit",
  signal: "signal_generate signal_deliver",
  block: "block_rq_issue=block_rq block_rq_insert=block_rq block_rq_complete=block_rq_completion",
  sock: "inet_sock_set_state",
  tcp: "tcp_retransmit_skb=tcp_event_sk_skb tcp_probe",
  net: "netif_receive_skb=net_dev_template net_dev_queue=net_dev_template net_dev_start_xmit=net_dev_template",
  skb: "kfree_skb",
  exceptions: "page_fault_user=exceptions page_fault_kernel=exceptions",
  kmem: "kmalloc=kmem_alloc",
  irq: "irq_handler_entry softirq_entry=softirq",
  task: "task_newtask task_rename",
  // Of a JavaScript process that is watched from inside: they are in no Linux.
  node: "gc_start=node_gc gc_done=node_gc event_loop_delay=node_loop net_connect=node_net http_server_request=node_http http_server_response=node_http http_client_request=node_http http_client_response=node_http",
}

const byKey = new Map<string, TracepointDefinition>()
const byName = new Map<string, TracepointDefinition>()

function define(group: string, name: string, record: string): void {
  const definition = { group, name, record }
  byKey.set(`${group}/${name}`, definition)
  if (!byName.has(name)) byName.set(name, definition)
}

for (const [group, events] of Object.entries(TRACEPOINTS))
  for (const event of events.split(" ")) {
    const [name, record = name] = event.split("=")
    define(group, name, record)
  }
for (const syscall of SYSCALLS) {
  define("syscalls", `sys_enter_${syscall.name}`, "sys_enter")
  define("syscalls", `sys_exit_${syscall.name}`, "sys_exit")
}

/** A tracepoint by group and name, or undefined. */
export function findTracepoint(group: string, name: string): TracepointDefinition | undefined {
  return byKey.get(`${group}/${name}`)
}

/** A tracepoint by its bare name; `sched_switch`. */
export function findTracepointByName(name: string): TracepointDefinition | undefined {
  return byName.get(name)
}

/** All tracepoints, for listings. */
export function tracepoints(): IterableIterator<TracepointDefinition> {
  return byKey.values()
}
