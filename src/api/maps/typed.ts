/** Conversion between values and the bytes of one map, shared by the typed maps. */

import { viewOf } from "../../base/index.ts"
import { type Codec, codecs } from "../codecs.ts"
import { isPerCpu } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"

/** Encodes keys and values and decodes them again. */
export class Conversion<K, V> {
  private readonly key: Codec<K>
  private readonly value: Codec<V>

  constructor(spec: MapSpec, possibleCpus: number) {
    this.key = (spec.key ?? codecs.bytes(spec.keySize)) as Codec<K>
    const one = spec.value ?? codecs.bytes(spec.valueSize)
    this.value = (isPerCpu(spec.type) ? perCpu(one, spec.valueSize, possibleCpus) : one) as Codec<V>
  }

  encodeKey(key: K): Uint8Array {
    const bytes = new Uint8Array(this.key.size)
    this.key.write(viewOf(bytes), 0, key)
    return bytes
  }

  decodeKey(bytes: Uint8Array): K {
    return this.key.read(viewOf(bytes), 0)
  }

  encodeValue(value: V): Uint8Array {
    const bytes = new Uint8Array(this.value.size)
    this.value.write(viewOf(bytes), 0, value)
    return bytes
  }

  decodeValue(bytes: Uint8Array): V {
    return this.value.read(viewOf(bytes), 0)
  }
}

/** One value a CPU, each padded to 8 bytes; index = CPU number. */
function perCpu<T>(of: Codec<T>, valueSize: number, cpus: number): Codec<T[]> {
  const stride = (valueSize + 7) & ~7
  return {
    size: stride * cpus,
    read(view, offset) {
      const values: T[] = []
      for (let cpu = 0; cpu < cpus; cpu++) values.push(of.read(view, offset + cpu * stride))
      return values
    },
    write(view, offset, values) {
      if (values.length !== cpus)
        throw new RangeError(
          `a per-CPU value has ${cpus} elements, one a CPU, not ${values.length}`,
        )
      values.forEach((value, cpu) => {
        of.write(view, offset + cpu * stride, value)
      })
    },
  }
}
