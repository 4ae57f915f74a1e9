/**
 * Reading and writing one register's fields. A register is an address in the domain's memory;
 * every function takes the domain first, for the views change when the memory grows.
 */

import type { Domain } from "../domain/domain.ts"
import {
  REG_A,
  REG_B,
  REG_C,
  REG_FRAMENO,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_PRECISE,
  REG_REF_OBJ_ID,
  REG_SMAX,
  REG_SMIN,
  REG_SUBREG_DEF,
  REG_TYPE,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "./layout.ts"
import { BASE_TYPE_MASK } from "./register-types.ts"

export function typeOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_TYPE) >> 2]
}
export function setType(d: Domain, reg: number, type: number): void {
  d.i32[(reg + REG_TYPE) >> 2] = type
}
/** The type without its flags, and the flags without the type. */
export function baseTypeOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_TYPE) >> 2] & BASE_TYPE_MASK
}
export function typeFlagsOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_TYPE) >> 2] & ~BASE_TYPE_MASK
}
/** Fixed offset. */
export function offOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_OFF) >> 2]
}
export function setOff(d: Domain, reg: number, off: number): void {
  d.i32[(reg + REG_OFF) >> 2] = off
}
export function idOf(d: Domain, reg: number): number {
  return d.u32[(reg + REG_ID) >> 2]
}
export function setId(d: Domain, reg: number, id: number): void {
  d.u32[(reg + REG_ID) >> 2] = id
}
export function refObjIdOf(d: Domain, reg: number): number {
  return d.u32[(reg + REG_REF_OBJ_ID) >> 2]
}
export function setRefObjId(d: Domain, reg: number, id: number): void {
  d.u32[(reg + REG_REF_OBJ_ID) >> 2] = id
}
/** What `a`, `b` and `c` mean depends on the type: layout.ts. */
export function aOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_A) >> 2]
}
export function setA(d: Domain, reg: number, value: number): void {
  d.i32[(reg + REG_A) >> 2] = value
}
export function bOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_B) >> 2]
}
export function setB(d: Domain, reg: number, value: number): void {
  d.i32[(reg + REG_B) >> 2] = value
}
export function cOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_C) >> 2]
}
export function setC(d: Domain, reg: number, value: number): void {
  d.i32[(reg + REG_C) >> 2] = value
}
/** Frame that a stack pointer points into. */
export function framenoOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_FRAMENO) >> 2]
}
export function subregDefOf(d: Domain, reg: number): number {
  return d.i32[(reg + REG_SUBREG_DEF) >> 2]
}
export function setSubregDef(d: Domain, reg: number, insn: number): void {
  d.i32[(reg + REG_SUBREG_DEF) >> 2] = insn
}
export function isPrecise(d: Domain, reg: number): boolean {
  return d.i32[(reg + REG_PRECISE) >> 2] !== 0
}
export function setPrecise(d: Domain, reg: number, precise: boolean): void {
  d.i32[(reg + REG_PRECISE) >> 2] = precise ? 1 : 0
}

/** The tnum is a constant (of any size), and its value as the halves or a bigint. */
export function isConstant(d: Domain, reg: number): boolean {
  const mask = (reg + REG_MASK) >> 2
  return d.i32[mask] === 0 && d.i32[mask + 1] === 0
}
export function constantLow(d: Domain, reg: number): number {
  return d.i32[(reg + REG_VALUE) >> 2]
}
export function constantHigh(d: Domain, reg: number): number {
  return d.i32[(reg + REG_VALUE + 4) >> 2]
}
export function varOffValueOf(d: Domain, reg: number): bigint {
  return d.u64[(reg + REG_VALUE) >> 3]
}
export function maskOf(d: Domain, reg: number): bigint {
  return d.u64[(reg + REG_MASK) >> 3]
}

/** Bounds as bigints: for messages and rare rules. */
export function sminOf(d: Domain, reg: number): bigint {
  return d.i64[(reg + REG_SMIN) >> 3]
}
export function smaxOf(d: Domain, reg: number): bigint {
  return d.i64[(reg + REG_SMAX) >> 3]
}
export function uminOf(d: Domain, reg: number): bigint {
  return d.u64[(reg + REG_UMIN) >> 3]
}
export function umaxOf(d: Domain, reg: number): bigint {
  return d.u64[(reg + REG_UMAX) >> 3]
}

/** Bounds as numbers: exact within 53 bits, rounded beyond, which no limit is near. */
export function sminNumber(d: Domain, reg: number): number {
  const at = (reg + REG_SMIN) >> 2
  return d.i32[at + 1] * 2 ** 32 + d.u32[at]
}
export function smaxNumber(d: Domain, reg: number): number {
  const at = (reg + REG_SMAX) >> 2
  return d.i32[at + 1] * 2 ** 32 + d.u32[at]
}
export function uminNumber(d: Domain, reg: number): number {
  const at = (reg + REG_UMIN) >> 2
  return d.u32[at + 1] * 2 ** 32 + d.u32[at]
}
export function umaxNumber(d: Domain, reg: number): number {
  const at = (reg + REG_UMAX) >> 2
  return d.u32[at + 1] * 2 ** 32 + d.u32[at]
}
