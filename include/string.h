/* SPDX-License-Identifier: MIT */
/* The compiler's own versions: they work for sizes known at compile time. */
#ifndef __SKEP_STRING_H__
#define __SKEP_STRING_H__

#include <stddef.h>

#define memcpy(to, from, size) __builtin_memcpy(to, from, size)
#define memmove(to, from, size) __builtin_memmove(to, from, size)
#define memset(to, value, size) __builtin_memset(to, value, size)
#define memcmp(a, b, size) __builtin_memcmp(a, b, size)

#endif
