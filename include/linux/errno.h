/* SPDX-License-Identifier: MIT */
#ifndef __SKEP_LINUX_ERRNO_H__
#define __SKEP_LINUX_ERRNO_H__

#include <asm-generic/errno.h>

#endif
