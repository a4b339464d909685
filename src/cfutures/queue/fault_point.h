/* A fault point that a worker passes: tells which task it is about (platform/fault.h). */
#ifndef CFUTURES_FAULT_POINT_H
#define CFUTURES_FAULT_POINT_H

#include "cfutures/queue/queue.h"

#include "platform/fault.h"

#ifdef CFI_FAULT_POINTS

void cfi_fault_pass(const cfi_queue *queue, unsigned worker, plat_fault_id point);

/* The task is that of the worker's record. */
#define cfi_fault_point(queue, worker, identifier)                                                 \
    cfi_fault_pass(queue, worker, PLAT_FAULT_##identifier)

#else

#define cfi_fault_point(queue, worker, identifier) ((void)0)

#endif

#endif
