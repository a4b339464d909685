/* Every scenario; main's table is made of them. */
#ifndef EXPLORER_SCENARIOS_H
#define EXPLORER_SCENARIOS_H

#include "explorer.h"
#include "pool.h"

extern const scenario queue_hand_off, queue_one_worker, queue_two_workers, queue_fences,
    queue_meeting;

#endif
