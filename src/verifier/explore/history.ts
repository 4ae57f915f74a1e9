/** Constants of a path's history, and of frames that nobody called. */

/** BPF_MAIN_FUNC: the call site of a frame that nobody called. */
export const MAIN_FUNC = -1

/** `flags` of a history entry: a stack access, to this frame and slot. */
export const STACK_ACCESS = 1
export const FRAME_SHIFT = 8
export const SLOT_SHIFT = 16
/** The jump compared stack pointers: they need no precision. */
export const SOURCE_IS_STACK = 2
export const DESTINATION_IS_STACK = 4
