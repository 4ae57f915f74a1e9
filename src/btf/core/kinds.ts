/**
 * What a CO-RE relocation asks of the target's types (linux v6.18 include/uapi/linux/bpf.h
 * enum bpf_core_relo_kind).
 */

export const BPF_CORE_FIELD_BYTE_OFFSET = 0
export const BPF_CORE_FIELD_BYTE_SIZE = 1
export const BPF_CORE_FIELD_EXISTS = 2
export const BPF_CORE_FIELD_SIGNED = 3
export const BPF_CORE_FIELD_LSHIFT_U64 = 4
export const BPF_CORE_FIELD_RSHIFT_U64 = 5
export const BPF_CORE_TYPE_ID_LOCAL = 6
export const BPF_CORE_TYPE_ID_TARGET = 7
export const BPF_CORE_TYPE_EXISTS = 8
export const BPF_CORE_TYPE_SIZE = 9
export const BPF_CORE_ENUMVAL_EXISTS = 10
export const BPF_CORE_ENUMVAL_VALUE = 11
export const BPF_CORE_TYPE_MATCHES = 12

/** What a relocation starts from: a field of a struct, a type, or an enumerator. */
export type CoreSubject = "field" | "type" | "enumerator"

const KINDS: readonly (readonly [name: string, libbpf: string, subject: CoreSubject])[] = [
  ["FIELD_BYTE_OFFSET", "byte_off", "field"],
  ["FIELD_BYTE_SIZE", "byte_sz", "field"],
  ["FIELD_EXISTS", "field_exists", "field"],
  ["FIELD_SIGNED", "signed", "field"],
  ["FIELD_LSHIFT_U64", "lshift_u64", "field"],
  ["FIELD_RSHIFT_U64", "rshift_u64", "field"],
  ["TYPE_ID_LOCAL", "local_type_id", "type"],
  ["TYPE_ID_TARGET", "target_type_id", "type"],
  ["TYPE_EXISTS", "type_exists", "type"],
  ["TYPE_SIZE", "type_size", "type"],
  ["ENUMVAL_EXISTS", "enumval_exists", "enumerator"],
  ["ENUMVAL_VALUE", "enumval_value", "enumerator"],
  ["TYPE_MATCHES", "type_matches", "type"],
]

/** `FIELD_BYTE_OFFSET`, or the number of a kind that does not exist. */
export function coreKindName(kind: number): string {
  return KINDS[kind]?.[0] ?? `unknown (${kind})`
}

/** The word that libbpf's log has for a kind: `byte_off`. */
export function coreKindWord(kind: number): string {
  return KINDS[kind]?.[1] ?? "unknown"
}

/** `undefined` for a kind that does not exist. */
export function coreSubject(kind: number): CoreSubject | undefined {
  return KINDS[kind]?.[2]
}
