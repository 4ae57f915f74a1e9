/**
 * Hints of the receiving driver (linux v6.18 net/core/xdp.c): virtual devices give none.
 */

import { ERRNO } from "../../../spec/index.ts"
import { answersInt, type HelperMachine, type KfuncTable } from "../support.ts"

function noHint(bytes: number) {
  return (machine: HelperMachine): number | undefined =>
    machine.checkWrite(2, bytes) < 0 ? undefined : -ERRNO.EOPNOTSUPP
}

export const xdpKfuncs: KfuncTable = {
  bpf_xdp_metadata_rx_timestamp: answersInt(noHint(8)),
  bpf_xdp_metadata_rx_hash: answersInt(noHint(4)),
  bpf_xdp_metadata_rx_vlan_tag: answersInt(noHint(2)),
}
