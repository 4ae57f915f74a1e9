export * from "./fields.ts"
export * from "./packet-buffer.ts"
export * from "./sk-buffer.ts"
export * from "./xdp-buffer.ts"
