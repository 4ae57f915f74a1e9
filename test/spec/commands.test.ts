/** The attributes of bpf(2) commands against the running kernel's BTF and its checks. */

import { describe, expect, test } from "vitest"
import { BPF_CMD, COMMANDS, commandName, LINK_CREATE_PARTS } from "../../src/spec/index.ts"
import { bpf } from "../support/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { kernelBtf } from "./helper-probe.ts"

describe("commands", () => {
  test("have names by number", () => {
    expect(commandName(5)).toBe("PROG_LOAD")
    expect(commandName(99)).toBe("99")
    for (const [name, { command }] of Object.entries(COMMANDS))
      expect(command).toBe(BPF_CMD[`BPF_${name}` as keyof typeof BPF_CMD])
  })
})

const btfThere = {
  name: "linux",
  available: kernelBtf() !== null,
  reason: "/sys/kernel/btf/vmlinux is not there",
}

/** Every member of `union bpf_attr` with its path, as "name offset size". */
function kernelFields(): Set<string> {
  const btf = kernelBtf()!
  const found = new Set<string>()
  const walk = (id: number, base: number, part: string): void => {
    const type = btf.resolve(id)
    if (type.kind !== "struct" && type.kind !== "union") return
    for (const member of type.members) {
      const at = base + member.bitOffset / 8
      const inner = btf.resolve(member.type)
      if (inner.kind === "struct" || inner.kind === "union")
        walk(inner.id, at, member.name === "link_create" ? "" : member.name || part)
      else found.add(`${part} ${member.name} ${at} ${btf.sizeOf(member.type)}`)
    }
  }
  walk(btf.findByName("bpf_attr", "union")!, 0, "")
  return found
}

describeWith([btfThere], "attributes", () => {
  const parts = "batch test info query raw_tracepoint task_fd_query link_update link_detach"
  const more = "enable_stats iter_create prog_bind_map token_create prog_stream_read"
  const known = ["", ...parts.split(" "), ...more.split(" ")]

  test.each(Object.entries(COMMANDS))("of %s lie where the kernel has them", (_name, layout) => {
    const fields = kernelFields()
    for (const { name, offset, sizeBytes } of layout.fields) {
      const places = known.map((part) => `${part} ${name} ${offset} ${sizeBytes}`)
      expect(places.filter((place) => fields.has(place))).not.toEqual([])
    }
  })

  test.each(Object.entries(LINK_CREATE_PARTS))("of %s links too", (part, list) => {
    const fields = kernelFields()
    for (const { name, offset, sizeBytes } of list)
      expect(fields).toContain(`${part} ${name} ${offset} ${sizeBytes}`)
  })

  test("number the commands as enum bpf_cmd does", () => {
    const btf = kernelBtf()!
    const { values } = btf.typeOf(btf.findByName("bpf_cmd", "enum")!, "enum")
    const kernel = new Map(values.map(({ name, value }) => [name, Number(value)]))
    for (const [name, number] of Object.entries(BPF_CMD)) expect(kernel.get(name)).toBe(number)
  })
})

describeWith([requirement.linux()], "attributes beyond the last field", () => {
  test.each(Object.entries(COMMANDS))("of %s must be zero", (name, { command, sizeBytes }) => {
    const attr = new Uint8Array(168)
    if (sizeBytes >= attr.length) return
    attr[Math.ceil(sizeBytes / 4) * 4] = 1
    // Statistics and links by id check the rest first as well; all of them answer EINVAL.
    expect(`${name} ${bpf(command, attr)}`).toBe(`${name} -22`)
  })
})
