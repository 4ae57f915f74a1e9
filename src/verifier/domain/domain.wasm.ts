// Generated from src/wasm/verifier/ by scripts/build-wasm.mjs; do not edit.
// biome-ignore format: one line of data
export const WASM_BASE64: string =
  "AGFzbQEAAAABBQFgAAF/AwIBAAcLAQd2ZXJzaW9uAAAKBgEEAEEBCw=="
