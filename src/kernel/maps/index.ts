export { ArrayMap } from "./array.ts"
export { NR_CPUS } from "./create-checks.ts"
export { HashMap } from "./hash.ts"
export { type ElementLayout, elementLayout, HashTable } from "./hash-table.ts"
export type { BpfMap, MapHost, MapParameters, ReferenceMap } from "./map.ts"
export {
  clampFlags,
  DESCRIPTOR,
  DESCRIPTOR_SIZE,
  type MapOptions,
  type ValueField,
} from "./map-base.ts"
export { createMap, isMapTypeSupported } from "./registry.ts"
