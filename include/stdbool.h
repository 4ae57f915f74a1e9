/* SPDX-License-Identifier: MIT */
#ifndef __SKEP_STDBOOL_H__
#define __SKEP_STDBOOL_H__

#define bool _Bool
#define true 1
#define false 0
#define __bool_true_false_are_defined 1

#endif
