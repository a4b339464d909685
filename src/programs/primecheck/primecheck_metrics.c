#include "programs/primecheck/primecheck_metrics.h"

void primecheck_counts_set(primecheck_counts *counts, const uint64_t verdicts[CHECK_VERDICTS],
                           uint64_t input_bytes, double share) {
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        atomic_store_explicit(&counts->verdicts[verdict], verdicts[verdict], memory_order_relaxed);
    }
    atomic_store_explicit(&counts->input_bytes, input_bytes, memory_order_relaxed);
    atomic_store_explicit(&counts->share, share, memory_order_relaxed);
}

void primecheck_metrics_fill(metrics_page *page, void *context) {
    static const char *const LABELS[CHECK_VERDICTS] = {
        [CHECK_COMPOSITE] = "verdict=\"composite\"",
        [CHECK_PRIME] = "verdict=\"prime\"",
        [CHECK_PROBABLE_PRIME] = "verdict=\"probable_prime\"",
        [CHECK_FAILED] = "verdict=\"failed\"",
        [CHECK_INVALID] = "verdict=\"not_a_number\"",
    };
    primecheck_counts *counts = context;
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        metrics_counter(page, "numbers_total", "Numbers that are done, by what they are.",
                        LABELS[verdict], atomic_load(&counts->verdicts[verdict]));
    }
    const double share = atomic_load(&counts->share);
    if (share >= 0) {
        metrics_gauge(page, "done_ratio", "Share of the work that is done, from 0 to 1.", NULL,
                      share);
    }
    if (counts->executor == NULL) {
        return;
    }
    metrics_counter(page, "input_bytes_total", "Bytes of the input that were given to workers.",
                    NULL, atomic_load(&counts->input_bytes));
    metrics_counter(page, "blocks_total", "Blocks of the input that are done.", NULL,
                    atomic_load(&counts->blocks));
    metrics_counter(page, "blocks_failed_total", "Of these, the ones that no worker came through.",
                    NULL, atomic_load(&counts->failed_blocks));
    metrics_executor(page, counts->executor);
}
