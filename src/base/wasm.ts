/** Loading of the WebAssembly modules that are carried as base64 text in the source. */

/** Compiles a module once; throws WebAssembly.CompileError where the host forbids compilation. */
export function wasmModule(base64: string): WebAssembly.Module {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index)
  return new WebAssembly.Module(bytes)
}
