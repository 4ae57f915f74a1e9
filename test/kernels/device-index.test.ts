/** Devices are found by name in the network namespace of the process, whatever /sys shows. */

import { spawnSync } from "node:child_process"
import { expect, test } from "vitest"
import { createLinuxKernel } from "../../src/linux/index.ts"
import { describeWith, requirement, root } from "../support/requirements.ts"

describeWith([requirement.linux(), requirement.ip()], "the index of a Linux device", () => {
  test("is that of this process's namespace", () => {
    const script = `
      import { createLinuxKernel } from "./src/linux/index.ts"
      const kernel = createLinuxKernel()
      console.log(["lo", "inside0", "inside1"].map((name) => kernel.interfaceIndex(name)).join(" "))`
    const shell = `
      ip link add inside0 type veth peer name inside1 &&
      for name in lo inside0 inside1; do ip -o link show $name | cut -d: -f1; done | xargs &&
      "$0" --import tsx --input-type=module -e "$1"`
    const command = ["-n", "sh", "-c", shell, process.execPath, script]
    const { stdout, stderr } = spawnSync("unshare", command, { cwd: root, encoding: "utf8" })
    const [expected, found] = stdout.trim().split("\n")
    expect(found, stderr).toBe(expected)
  })

  test("is 0 for names that no device has, or could have", () => {
    const kernel = createLinuxKernel()
    for (const name of ["nosuchdevice0", "", "a".repeat(16), "a".repeat(1000)])
      expect(kernel.interfaceIndex(name)).toBe(0)
    expect(kernel.interfaceIndex("lo")).toBeGreaterThan(0)
  })
})
