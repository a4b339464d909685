/* In place of assertions: one that does not hold fails the run. */
#ifndef PLATFORM_ASSERT_H
#define PLATFORM_ASSERT_H

#include "explorer.h"

#define cfi_assert(condition) ((condition) ? (void)0 : sim_fail(__FILE__, __LINE__, #condition))

#endif
