/** Numbers and names against the running kernel's BTF and Node's own errno table. */

import { constants } from "node:os"
import { describe, expect, test } from "vitest"
import {
  attachTypeByName,
  attachTypeName,
  BPF_ATTACH_TYPE,
  BPF_LINK_TYPE,
  BPF_MAP_FLAG,
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  BPF_UPDATE_FLAG,
  CONSTANT_GROUPS,
  ERRNO,
  errnoName,
  errnoText,
  linkTypeName,
  programTypeByName,
  programTypeName,
} from "../../src/spec/index.ts"
import { describeWith } from "../support/requirements.ts"
import { kernelBtf } from "./helper-probe.ts"

describe("errno", () => {
  test("has a name and a text for each number, and takes it negative too", () => {
    expect(errnoName(22)).toBe("EINVAL")
    expect(errnoName(-22)).toBe("EINVAL")
    expect(errnoName(95)).toBe("EOPNOTSUPP")
    expect(errnoName(524)).toBe("ENOTSUPP")
    expect(errnoName(11)).toBe("EAGAIN")
    expect(errnoName(9999)).toBe("9999")
    expect(errnoText(-2)).toBe("No such file or directory")
    expect(errnoText(9999)).toBe("Unknown error 9999")
    for (const number of Object.values(ERRNO)) expect(errnoText(number)).not.toContain("Unknown")
  })

  test.skipIf(process.platform !== "linux")("has the numbers of this Linux's libc", () => {
    const ours: Record<string, number> = ERRNO
    for (const [name, number] of Object.entries(constants.errno)) expect(ours[name]).toBe(number)
  })
})

describe("types", () => {
  test("have the names that bpftool prints", () => {
    expect(programTypeName(6)).toBe("xdp")
    expect(programTypeByName("cgroup_sock_addr")).toBe(18)
    expect(attachTypeName(24)).toBe("trace_fentry")
    expect(attachTypeByName("tcx_ingress")).toBe(46)
    expect(linkTypeName(11)).toBe("tcx")
    expect(programTypeName(999)).toBe("999")
    expect(programTypeByName("nothing")).toBeUndefined()
  })
})

const btfThere = {
  name: "linux",
  available: kernelBtf() !== null,
  reason: "/sys/kernel/btf/vmlinux is not there",
}

describeWith([btfThere], "constants", () => {
  /** Every enumerator of the kernel, with the values it has (a name may stand in several enums). */
  function enumerators(): Map<string, Set<number>> {
    const btf = kernelBtf()!
    const found = new Map<string, Set<number>>()
    for (let id = btf.firstId; id < btf.typeCount; id++) {
      const kind = btf.kindOf(id)
      if (kind !== "enum" && kind !== "enum64") continue
      for (const { name, value } of btf.typeOf(id, kind).values)
        found.set(name, (found.get(name) ?? new Set()).add(Number(value)))
    }
    return found
  }

  test("are those of the running kernel", () => {
    const kernel = enumerators()
    const tables: Readonly<Record<string, number>>[] = [
      BPF_MAP_TYPE,
      BPF_PROG_TYPE,
      BPF_ATTACH_TYPE,
      BPF_LINK_TYPE,
      BPF_MAP_FLAG,
      BPF_UPDATE_FLAG,
      ...CONSTANT_GROUPS.map(({ values }) => values),
    ]
    for (const table of tables)
      for (const [name, value] of Object.entries(table)) {
        const values = [...(kernel.get(name) ?? [])].map((known) => known >>> 0 || known)
        expect(`${name} ${values}`).toContain(String(value >>> 0 || value))
      }
  })

  test("leave out no type of the running kernel up to its 6.18 number", () => {
    const kernel = enumerators()
    const largest = (table: Readonly<Record<string, number>>): number =>
      Math.max(...Object.values(table))
    const end = (name: string): number => [...kernel.get(name)!][0]
    expect(largest(BPF_MAP_TYPE)).toBeLessThan(end("__MAX_BPF_MAP_TYPE"))
    expect(largest(BPF_PROG_TYPE)).toBeLessThan(end("__MAX_BPF_PROG_TYPE"))
    expect(largest(BPF_ATTACH_TYPE)).toBeLessThan(end("__MAX_BPF_ATTACH_TYPE"))
    expect(largest(BPF_LINK_TYPE)).toBeLessThan(end("__MAX_BPF_LINK_TYPE"))
  })
})
