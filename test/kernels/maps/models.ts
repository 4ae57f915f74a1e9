/**
 * Plain JavaScript models of the map types, seen from system calls with valid arguments: keys and
 * values are hexadecimal text, results 0 or a negative errno.
 */

import {
  arrayModel as arrayOf,
  hashModel as hashOf,
  type Model as KeyedModel,
  lpmModel as lpmOf,
} from "../../kernel/maps/models.ts"

export interface Outcome {
  readonly result: number
  readonly value?: string
}

/** A map as a model knows it. */
export interface MapModel {
  update(key: Uint8Array, value: Uint8Array, flags: number): number
  lookup(key: Uint8Array): string | undefined
  delete(key: Uint8Array): number
  lookupAndDelete(key: Uint8Array): Outcome
  /** Keys in hex, in order if the type has one. */
  keys(): string[]
  readonly ordered: boolean
}

const ENOENT = -2
const ENOTSUPP = -524

function keyed(model: KeyedModel, handsOut: boolean): MapModel {
  return {
    ordered: model.ordered,
    keys: model.keys,
    update: model.update,
    delete: model.delete,
    lookup: model.lookup,
    lookupAndDelete(key) {
      if (!handsOut) return { result: ENOTSUPP }
      const value = model.lookup(key)
      return value === undefined ? { result: ENOENT } : { result: model.delete(key), value }
    },
  }
}

export function arrayModel(entries: number, valueBytes: number): MapModel {
  return keyed(arrayOf(entries, valueBytes), false)
}

export function hashModel(entries: number): MapModel {
  return keyed(hashOf(entries), true)
}

export function lpmModel(entries: number, keySize: number): MapModel {
  return keyed(lpmOf(entries, keySize), false)
}
