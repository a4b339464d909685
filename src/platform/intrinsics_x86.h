/* The compiler's names for x86 vector instructions. Only for files that are compiled for a processor
 * that has them; which one that is, is asked of platform/cpu_features.h at run time. */
#ifndef PLATFORM_INTRINSICS_X86_H
#define PLATFORM_INTRINSICS_X86_H

#include <immintrin.h>

#endif
