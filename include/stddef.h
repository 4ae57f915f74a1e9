/* SPDX-License-Identifier: MIT */
#ifndef __SKEP_STDDEF_H__
#define __SKEP_STDDEF_H__

typedef unsigned long size_t;
typedef long ptrdiff_t;
#ifndef NULL
#define NULL ((void *)0)
#endif
#undef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)

#endif
