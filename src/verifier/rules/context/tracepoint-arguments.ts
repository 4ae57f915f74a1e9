/**
 * Arguments of tracepoints that may be NULL, or an error in place of a pointer: the kernel knows
 * them by name, for its types do not say so.
 *
 * Source: linux v6.18 kernel/bpf/btf.c raw_tp_null_args, as data.
 */

/** Names with the indexes of arguments that may be NULL; `!` marks one that may be an error. */
const ROWS = `
  sched_pi_setprio 1; sched_stick_numa 2; sched_swap_numa 2;
  afs_make_fs_call 1; afs_make_fs_calli 1; afs_make_fs_call1 1; afs_make_fs_call2 1;
  afs_protocol_error 0; afs_flock_ev 1;
  cachefiles_lookup 0 2!; cachefiles_unlink 0; cachefiles_rename 0; cachefiles_prep_read 0;
  cachefiles_mark_active 0; cachefiles_mark_failed 0; cachefiles_mark_inactive 0;
  cachefiles_vfs_error 0; cachefiles_io_error 0; cachefiles_ondemand_open 0;
  cachefiles_ondemand_copen 0; cachefiles_ondemand_close 0; cachefiles_ondemand_read 0;
  cachefiles_ondemand_cread 0; cachefiles_ondemand_fd_write 0; cachefiles_ondemand_fd_release 0;
  ext4_mballoc_discard 1; ext4_mballoc_free 1;
  fib_table_lookup 2;
  posix_lock_inode 1; fcntl_setlk 1; locks_remove_posix 1; flock_lock_inode 1;
  break_lease_noblock 1; break_lease_block 1; break_lease_unblock 1; generic_delete_lease 1;
  time_out_leases 1;
  host1x_cdma_push_gather 4;
  mm_khugepaged_scan_pmd 1; mm_collapse_huge_page_isolate 0; mm_khugepaged_scan_file 1;
  mm_khugepaged_collapse_file 1;
  mm_page_alloc 0; mm_page_pcpu_drain 0; mm_page_alloc_zone_locked 0;
  netfs_failure 1;
  device_pm_callback_start 1;
  qdisc_dequeue 3;
  rxrpc_recvdata 0; rxrpc_resend 1; rxrpc_tq 1; rxrpc_client 0;
  kfree_skb 3;
  xs_stream_read_data 0; xprt_reserve_cong 1; xprt_release_cong 1; xprt_get_cong 1;
  xprt_put_cong 1;
  tcp_send_reset 0 1; tcp_sendmsg_locked 2;
  tegra_dma_tx_status 2;
  tmigr_update_events 0;
  writeback_dirty_folio 1; folio_wait_writeback 1;
  mr_integ_alloc 3!;
  bpf_testmod_test_read;

`

interface Known {
  readonly nullable: boolean
  readonly error: boolean
}

const NOTHING: Known = { nullable: false, error: false }
const UNKNOWN: Known = { nullable: true, error: false }

function parse(): ReadonlyMap<string, ReadonlyMap<number, Known>> {
  const table = new Map<string, Map<number, Known>>()
  for (const row of ROWS.split(";")) {
    const [name, ...marks] = row.trim().split(/\s+/)
    if (name === "") continue
    const known = new Map<number, Known>()
    for (const mark of marks) {
      const error = mark.endsWith("!")
      known.set(Number.parseInt(mark, 10), { nullable: !error, error })
    }
    table.set(name, known)
  }
  return table
}

const TABLE = parse()

/** Argument `index` of tracepoint `name`; of a module's that is not known, all may be NULL. */
export function tracepointArgument(name: string, index: number, isModule: boolean): Known {
  const row = TABLE.get(name)
  if (row === undefined) return isModule ? UNKNOWN : NOTHING
  return row.get(index) ?? NOTHING
}
