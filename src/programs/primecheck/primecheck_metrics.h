/* What primecheck counts, for threads other than the one that counts: --metrics. */
#ifndef PROGRAMS_PRIMECHECK_METRICS_H
#define PROGRAMS_PRIMECHECK_METRICS_H

#include "programs/base/metrics.h"
#include "programs/primecheck/check_block.h"

#include <cfutures.h>

#include <stdatomic.h>
#include <stdint.h>

typedef struct primecheck_counts {
    cf_executor *executor; /* NULL: there is none */
    _Atomic uint64_t verdicts[CHECK_VERDICTS];
    _Atomic uint64_t blocks, failed_blocks; /* shown */
    _Atomic uint64_t input_bytes;           /* of blocks that were begun */
    _Atomic double share;                   /* of the work that is done; negative = unknown */
} primecheck_counts;

/* The thread that counts tells what there is now. share: negative = unknown */
void primecheck_counts_set(primecheck_counts *counts, const uint64_t verdicts[CHECK_VERDICTS],
                           uint64_t input_bytes, double share);

/* Of a primecheck_counts. */
metrics_fill_fn primecheck_metrics_fill;

#endif
