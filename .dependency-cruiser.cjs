// The order of DESIGN: a folder imports only from folders before it in this list.
const layers = [
  "base",
  "isa",
  "packet",
  "btf",
  "spec",
  "object",
  "ir",
  "c",
  "bpftrace",
  "verifier",
  "interpreter",
  "jit",
  "wasm",
  "kernel",
  "linux",
  "loader",
  "api",
  "tools",
  "cli",
  "studio",
]

const upward = layers.map((layer, index) => ({
  name: `${layer}-imports-only-earlier-layers`,
  severity: "error",
  from: { path: `^src/${layer}/` },
  to: { path: `^src/(${layers.slice(index + 1).join("|") || "none"})/` },
}))

module.exports = {
  forbidden: [
    ...upward,
    {
      name: "no-circular",
      comment: "Imports of types alone are erased, so they make no cycle at run time.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "kernels-do-not-know-each-other",
      severity: "error",
      from: { path: "^src/linux/" },
      to: { path: "^src/kernel/" },
    },
    {
      name: "runs-in-a-browser",
      comment:
        "Everything except linux/, cli/ and tools/ imports nothing of Node. api/linux.ts is the host kernel's entry.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(linux|cli|tools)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "engines-know-linux-only-through-spec",
      severity: "error",
      from: { path: "^src/(verifier|interpreter|jit)/" },
      to: { path: "^src/(object|kernel|linux|loader|api)/" },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
}
