/** Numbers of the pcapng format (draft-ietf-opsawg-pcapng §4) that its reader and writer share. */

/** Block types. The section header's is the same in both byte orders. */
export const SECTION_HEADER = 0x0a0d0d0a
export const INTERFACE_DESCRIPTION = 1
export const PACKET = 2
export const SIMPLE_PACKET = 3
export const ENHANCED_PACKET = 6

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** Type and length before a body, the length again after it. */
export const BLOCK_OVERHEAD = 12

/** Option codes; IF_ ones are of interface descriptions. */
export const OPT_ENDOFOPT = 0
export const IF_NAME = 2
export const IF_TSRESOL = 9
export const IF_TSOFFSET = 14
