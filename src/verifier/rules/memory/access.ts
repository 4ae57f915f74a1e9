/**
 * Loads and stores, by instruction: what the explorer and the call rules use of this folder.
 */

export { checkAtomic } from "./atomic.ts"
export { checkLegacyLoad } from "./legacy-load.ts"
export { checkLoadImmediate } from "./load-immediate.ts"
export { checkLoadStore } from "./load-store.ts"
export { checkMemoryAccess, type MemoryAccessOptions } from "./memory-access.ts"
