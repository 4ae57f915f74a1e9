/**
 * C declarations → BTF: structs, unions, enums, typedefs, function prototypes and variables as a
 * kernel header has them, laid out as clang lays them out for eBPF (64-bit, System V rules). For
 * types written down as text: the embedded kernel's, or a test's. There is no preprocessor and
 * there are no initialisers; the attributes `packed`, `aligned`, `btf_decl_tag` and `btf_type_tag`
 * count, others are ignored.
 */

import { type Btf, readBtf } from "./btf.ts"
import { BtfBuilder } from "./builder.ts"
import { DeclarationParser } from "./declarations/parser.ts"
import { TokenStream } from "./declarations/tokens.ts"
import { TypeTable } from "./declarations/type-table.ts"

/** What each builder's texts have declared so far. */
const tables = new WeakMap<BtfBuilder, TypeTable>()

/**
 * Adds the types of a C text to a builder. Later texts for the same builder see these declarations.
 *
 * A prototype without `static` or `extern` becomes a global `func`, a variable a global `var`. A
 * struct that is only mentioned becomes a forward declaration. Repeated typedefs, prototypes and
 * variables are ignored; a second definition of a struct is an error.
 *
 * @returns the ids of all names declared for this builder: `struct task_struct`, `u32`, `vfs_read`.
 * @throws SyntaxIssue with line and column for what is no declaration.
 */
export function parseDeclarations(
  text: string,
  builder: BtfBuilder,
  options: { readonly file?: string } = {},
): ReadonlyMap<string, number> {
  let table = tables.get(builder)
  if (table === undefined) tables.set(builder, (table = new TypeTable(builder)))
  new DeclarationParser(new TokenStream(text, options.file ?? "declarations"), table).parse()
  return table.names
}

/** The BTF of a C text alone. See {@link parseDeclarations}. */
export function declaredBtf(text: string): Btf {
  const builder = new BtfBuilder()
  parseDeclarations(text, builder)
  return readBtf(builder.build(), { section: "declarations" })
}
