/* The compiler's names for x86 vector instructions. Only for files that are compiled for a
 * processor that has them. platform/cpu_features.h says at run time whether this processor does. */
#ifndef PLATFORM_INTRINSICS_X86_H
#define PLATFORM_INTRINSICS_X86_H

#include <immintrin.h>

#endif
