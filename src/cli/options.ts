/** Options that several commands have. */

/** The option of every command that takes a `.c` file: flags and description. */
export const CC_OPTION: readonly [flags: string, description: string] = [
  "--cc <command>",
  "C compiler for .c files (else SKEP_CC, or clang or zig on PATH)",
]
