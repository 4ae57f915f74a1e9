/**
 * Where the map engines find things in linear memory: constants that the engines (AssemblyScript)
 * and the code around them (TypeScript) share. All fields are u32 unless it says u64.
 *
 * Map descriptor, the low half of a map pointer:
 *
 *     0 index in the kernel's table of maps     32 data: first value, bucket, slot or ring byte
 *     4 map type                                36 bytes from one element to the next
 *     8 key size                                40 bytes from one CPU's copy to the next
 *    12 value size                              44 value region
 *    16 max entries                             48 mask: buckets, bits or ring bytes, minus one
 *    20 flags                                   52 seed of the hash
 *    24 offset of the key scratch area          56 element to key
 *    28 possible CPUs                           60 element to value
 *
 *    64 elements in the map                     96 … the engine's own, to 320
 *    68 pool: first free element
 *    72 pool: first byte never handed out
 *    76 pool: end of those bytes
 *    80 table of kernel-owned fields, or 0
 *    84 FEATURE_ bits
 *    88 offset of the value scratch area
 *    92 words of a key hashed by multiply-shift, or 0
 *
 * Table of kernel-owned fields: u32 count, then (offset, size) for each, ascending.
 */

export const DESCRIPTOR_BYTES = 320

export const MAP_INDEX = 0
export const MAP_TYPE = 4
export const MAP_KEY_SIZE = 8
export const MAP_VALUE_SIZE = 12
export const MAP_MAX_ENTRIES = 16
export const MAP_FLAGS = 20
export const MAP_KEY_SCRATCH = 24
export const MAP_CPUS = 28
export const MAP_DATA = 32
export const MAP_STRIDE = 36
export const MAP_CPU_STRIDE = 40
export const MAP_VALUE_REGION = 44
export const MAP_MASK = 48
export const MAP_SEED = 52
export const MAP_KEY_OFFSET = 56
export const MAP_VALUE_OFFSET = 60
export const MAP_COUNT = 64
export const POOL_FREE = 68
export const POOL_FRESH = 72
export const POOL_FRESH_END = 76
export const MAP_FIELDS = 80
export const MAP_FEATURES = 84
export const MAP_VALUE_SCRATCH = 88
export const MAP_KEY_WORDS = 92
/** Guards of the map and of its pool, and the free lists of each CPU, where threads share memory. */
export const MAP_GUARD = 304
export const POOL_GUARD = 308
export const POOL_FREE_LISTS = 312
/** Free lists lie this far apart. */
export const FREE_LIST_BYTES = 64
/** Region of what a look-up gives: values, or the descriptors of the maps inside. */
export const MAP_RESULT_REGION = 316
/** High half of an address: this, and the region. */
export const ADDRESS_TAG = 0xffff8000

/** MAP_FEATURES: the value has a bpf_spin_lock, so BPF_F_LOCK is allowed. */
export const FEATURE_LOCKED = 1
/** MAP_FEATURES: the host must be told of values that go out of use. */
export const FEATURE_RELEASE = 2
/** MAP_FEATURES: an update writes into the element that is there. */
export const FEATURE_IN_PLACE = 4
/** MAP_FEATURES: values have a copy for each CPU. */
export const FEATURE_PERCPU = 8
/** MAP_FEATURES: one set of replacement lists for all CPUs. */
export const FEATURE_COMMON_LRU = 16

/** Hash maps: up to 16 u64 coefficients of multiply-shift hashing after the u64 that is added. */
export const HASH_ADDEND = 128
export const HASH_FACTOR_0 = 136
export const HASH_FACTOR_1 = 144
export const HASH_FACTOR_2 = 152
export const HASH_FACTOR_3 = 160
export const HASH_WORDS_MAX = 16

/** LRU hash maps: sets of lists, lists of each CPU, round-robin positions, and the targets. */
export const LRU_SETS = 96
export const LRU_LOCALS = 100
export const LRU_STEAL = 104
export const LRU_FREE_TARGET = 108
export const LRU_SCAN_MAX = 112

/** Element of a hash map: next in the chain, hash, key. */
export const ELEMENT_NEXT = 0
export const ELEMENT_HASH = 4
export const ELEMENT_KEY = 8
/** Bytes before an LRU element: previous node, next node, kind and reference bit, CPU. */
export const LRU_NODE_BYTES = 16

/** One set of LRU lists (heads of 8 bytes each, counts, hand), and the lists of one CPU. */
export const LRU_SET_BYTES = 64
export const LRU_LOCAL_BYTES = 16

/** LPM trie: root node, data bytes of a key, element of prefix length 0, first index table. */
export const LPM_ROOT = 96
export const LPM_DATA_SIZE = 100
export const LPM_DEFAULT = 104
export const LPM_INDEX = 108
/** LPM trie: index tables in use, free tables (a list), elements deleted since the last rebuild. */
export const LPM_TABLES = 112
export const LPM_FREE_TABLES = 116
export const LPM_DELETED = 120

/** LPM trie: scratch area for the key that the index asks about. */
export const LPM_PROBE = 124

/** LPM node: two children, 1 for an intermediate node, reserved, key (prefix length, data). */
export const LPM_INTERMEDIATE = 8
export const LPM_KEY = 16
/** Index table: 256 entries of (element or 0, child table or node | 1 or 0). */
export const LPM_TABLE_BYTES = 2048

/** Queue and stack: where the next value goes, and the oldest one; in slots. */
export const QUEUE_HEAD = 96
export const QUEUE_TAIL = 100

/** Bloom filter: number of hash functions; coefficients as in hash maps. */
export const BLOOM_HASHES = 96

/** Ring buffer: the ring object, whose fourth page is the data. */
export const RING_BASE = 96
export const PAGE_BYTES = 4096
/** Ring object: descriptor of the map, u64 position up to which all is committed. */
export const RING_DESCRIPTOR = 0
export const RING_PENDING = 8
/** Ring object: u64 positions of consumer and producer, on pages of their own as in Linux. */
export const RING_CONSUMER = 4096
export const RING_PRODUCER = 8192
export const RING_DATA = 12288
export const RING_PAGES_BEFORE_DATA = 3
export const RING_RECORD_MAX = 1073741815

/**
 * In the unused first 64 KiB: u64 nanoseconds since boot; then for each thread, 64 bytes apart, the
 * CPU that runs programs and, 16 bytes on, four words of state of its random numbers.
 */
export const CLOCK_WORD = 960
export const CPU_WORD = 1024
export const CPU_WORD_BYTES = 64
export const RANDOM_STATE = 16
