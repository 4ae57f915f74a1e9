/** Results of the engines: Linux's errno, negated where they are returned. */

export const ENOENT: i32 = 2
export const E2BIG: i32 = 7
export const EAGAIN: i32 = 11
export const ENOMEM: i32 = 12
export const EEXIST: i32 = 17
export const EINVAL: i32 = 22
export const ENOSPC: i32 = 28
export const EOPNOTSUPP: i32 = 95

/** Update flags. */
export const BPF_ANY: u32 = 0
export const BPF_NOEXIST: u32 = 1
export const BPF_EXIST: u32 = 2
export const BPF_F_LOCK: u32 = 4
