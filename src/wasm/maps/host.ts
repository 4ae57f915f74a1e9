/** What the engines ask of the JavaScript around them: rare, and never with 64-bit values. */

/** Gives the pool of a map more elements (POOL_FRESH, POOL_FRESH_END); 0 when there are none. */
export declare function refill(map: u32): u32
/** `size` zeroed bytes that belong to a map until it is destroyed, or 0. */
export declare function allocate(map: u32, size: u32): u32
/** bpf_map_lookup_elem, _update_elem and _delete_elem on maps that have no engine. */
export declare function otherLookup(map: u32, key: u32): u32
export declare function otherUpdate(map: u32, key: u32, value: u32, flags: u32): i32
export declare function otherDelete(map: u32, key: u32): i32
/** A value goes out of use: its timers and references are to be dropped. */
export declare function release(map: u32, value: u32): void
/** The consumer of a ring buffer is to be woken. */
export declare function wake(map: u32): void
/** Address of the word that holds this thread's CPU number. */
export declare const cpuWord: u32
/** 1 where this thread may wait for another one. */
export declare const mayWait: u32
