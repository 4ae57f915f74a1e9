/**
 * Values and keys of maps: bounds, permissions, special fields, constants of read-only maps.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_map_access, check_map_access_type,
 * bpf_map_direct_read.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import type { VerifierMap } from "../../input.ts"
import { aOf, isConstant, sminNumber, umaxNumber } from "../../state/registers.ts"
import {
  type BtfRecord,
  fieldName,
  isPointerField,
  type RecordField,
  recordOfMap,
} from "../../types/record.ts"
import type { Verifier } from "../../verifier.ts"
import { checkKptrAccess } from "./map-kptr.ts"
import { checkRegion } from "./region.ts"
import { constantNumber, leaksPointer, loadUnknown, rejectSilently } from "./values.ts"

const { BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG } = BPF_MAP_FLAG

/** A load or store of a map's value; `off` includes the pointer's fixed offset. */
export function accessMapValue(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  if (write && valueReg >= 0 && leaksPointer(v, v.reg(valueReg)))
    v.reject(ERRNO.EACCES, `R${valueReg} leaks addr into map`, { rule: "pointer-leak" })
  checkMapPermission(v, regno, off, size, write)
  checkMapAccess(v, regno, off, size, false, false)
  const map = aOf(d, reg)
  const record = recordOfMap(v, map)
  if (record !== null && isConstant(d, reg)) {
    const field = pointerFieldAt(record, off + constantNumber(d, reg))
    if (field !== undefined) {
      checkKptrAccess(v, regno, valueReg, field)
      return
    }
  }
  if (write || valueReg < 0) return
  if (isConstant(d, reg) && isConstantMap(v.maps[map])) {
    loadConstant(v, v.maps[map], off + constantNumber(d, reg), size, valueReg, signExtend)
    return
  }
  loadUnknown(v, valueReg, size, signExtend)
}

function pointerFieldAt(record: BtfRecord, offset: number): RecordField | undefined {
  return record.fields.find((field) => field.offset === offset && isPointerField(field.kind))
}

/** Whether the contents can never change: read-only for programs, and frozen. */
function isConstantMap(map: VerifierMap): boolean {
  return (
    (map.flags & BPF_F_RDONLY_PROG) !== 0 &&
    map.frozen &&
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY
  )
}

function loadConstant(
  v: Verifier,
  map: VerifierMap,
  offset: number,
  size: number,
  valueReg: number,
  signExtend: boolean,
): void {
  if (map.maxEntries !== 1)
    rejectSilently(v, ERRNO.ENOTSUPP, { rule: "constant-map", offset, size })
  const bytes = map.readConstant?.(offset, size) ?? null
  if (bytes === null) {
    loadUnknown(v, valueReg, size, signExtend)
    return
  }
  let low = 0
  let high = 0
  for (let i = 0; i < size; i++)
    if (i < 4) low |= bytes[i] << (8 * i)
    else high |= bytes[i] << (8 * (i - 4))
  if (signExtend && size < 4) low = (low << (32 - 8 * size)) >> (32 - 8 * size)
  if (signExtend && size < 8) high = low >> 31
  v.domain.markKnown(v.reg(valueReg), low, high)
}

/** BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG. Linux: check_map_access_type. */
export function checkMapPermission(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
): void {
  const map = v.maps[aOf(v.domain, v.reg(regno))]
  const access = map.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)
  if (access === 0 || access === (write ? BPF_F_WRONLY_PROG : BPF_F_RDONLY_PROG)) return
  v.reject(
    ERRNO.EACCES,
    `${write ? "write into" : "read from"} map forbidden, value_size=${map.valueSize} off=${off} size=${size}`,
    { rule: "map-permission", register: regno, offset: off, size },
  )
}

/** Bounds, and no special field touched but kernel pointers one at a time (never by a `helper`). */
export function checkMapAccess(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  zeroAllowed: boolean,
  helper: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const map = aOf(d, reg)
  checkRegion(v, regno, off, size, v.maps[map].valueSize, zeroAllowed)
  const record = recordOfMap(v, map)
  if (record === null) return
  const first = sminNumber(d, reg) + off
  const end = umaxNumber(d, reg) + off + size
  for (const field of record.fields)
    if (first < field.offset + field.size && field.offset < end)
      checkField(v, regno, field, off, size, helper)
}

function checkField(
  v: Verifier,
  regno: number,
  field: RecordField,
  off: number,
  size: number,
  helper: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const name = fieldName(field.kind)
  const details = { rule: "special-field", register: regno, offset: field.offset, subject: name }
  if (!isPointerField(field.kind))
    v.reject(ERRNO.EACCES, `${name} cannot be accessed directly by load/store`, details)
  if (helper) v.reject(ERRNO.EACCES, `${name} cannot be accessed indirectly by helper`, details)
  if (!isConstant(d, reg))
    v.reject(ERRNO.EACCES, `${name} access cannot have variable offset`, details)
  const at = off + constantNumber(d, reg)
  if (at !== field.offset)
    v.reject(ERRNO.EACCES, `${name} access misaligned expected=${field.offset} off=${at}`, details)
  if (size !== 8) v.reject(ERRNO.EACCES, `${name} access size must be BPF_DW`, details)
}
