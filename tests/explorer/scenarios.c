#include "scenarios.h"

const scenario *const scenarios[] = {
    &queue_hand_off, &queue_one_worker, &queue_two_workers, &queue_fences, &queue_meeting,
};

const unsigned scenario_count = sizeof scenarios / sizeof scenarios[0];
