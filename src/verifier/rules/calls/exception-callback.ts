/**
 * The function that handles exceptions: named by a declaration tag on the main function, global,
 * and part of the program.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c bpf_find_exception_callback_insn_off.
 */

import { ERRNO } from "../../../spec/errno.ts"
import type { Verifier } from "../../verifier.ts"

const PREFIX = "exception_callback:"
const FUNC_INFO_SIZE = 8

/** Before exploration: what the tag names, if there is one, can handle exceptions. */
export function checkExceptionCallback(v: Verifier): void {
  const { btf, funcInfo } = v.input
  if (btf === null || funcInfo.length < FUNC_INFO_SIZE) return
  const view = new DataView(funcInfo.buffer, funcInfo.byteOffset, funcInfo.byteLength)
  const refuse = (errno: number, text: string): never =>
    v.reject(errno, text, { rule: "exception-callback" })
  const main = view.getUint32(4, true)
  if (main === 0 || main >= btf.typeCount)
    refuse(ERRNO.EINVAL, "invalid btf id for main subprog in func_info")
  const tags = btf.declTags(main).filter((tag) => tag.startsWith(PREFIX))
  if (tags.length === 0) return
  if (tags.length > 1) refuse(ERRNO.EEXIST, "multiple exception callback tags for main subprog")
  const name = tags[0].slice(PREFIX.length)
  const id = btf.findByName(name, "func")
  if (id === undefined) {
    refuse(ERRNO.ENOENT, `exception callback '${name}' could not be found in BTF`)
    return
  }
  if (btf.typeOf(id, "func").linkage !== "global")
    refuse(ERRNO.EINVAL, `exception callback '${name}' must have global linkage`)
  for (let at = 0; at + FUNC_INFO_SIZE <= funcInfo.length; at += FUNC_INFO_SIZE) {
    if (view.getUint32(at + 4, true) !== id) continue
    if (view.getUint32(at, true) > 0) return
    refuse(ERRNO.EINVAL, "invalid exception callback insn_off in func_info: 0")
  }
  refuse(ERRNO.EINVAL, "exception callback type id not found in func_info")
}
