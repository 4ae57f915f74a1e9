export interface WasmSource {
  readonly source: string
  readonly output: string
  readonly threads?: boolean
}
export const modules: readonly WasmSource[]
export function compile(module: WasmSource): Promise<string>
