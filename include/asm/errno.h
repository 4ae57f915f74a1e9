/* SPDX-License-Identifier: MIT */
#ifndef __SKEP_ASM_ERRNO_H__
#define __SKEP_ASM_ERRNO_H__

#include <asm-generic/errno.h>

#endif
