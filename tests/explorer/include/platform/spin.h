/* In place of the processor's pause: a step, after which others may go on for nothing. */
#ifndef PLATFORM_SPIN_H
#define PLATFORM_SPIN_H

#include "hooks.h"

#define plat_spin_pause() sim_pause(__func__)
#define plat_spin_offer() sim_pause(__func__)

#endif
