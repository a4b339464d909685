#include "cfutures/worker/cpu_share.h"

#include "platform/assert.h"
#include "platform/cpu_limits.h"

unsigned cfi_cpu_share_of(const cfi_worker_config *config) {
    unsigned processors =
        config->processors != 0 ? config->processors : plat_cpu_limits_count(CF_WORKERS_MAX);
    cfi_assert(config->workers > 0 && processors > 0);
    return processors > config->workers ? processors / config->workers : 1;
}

unsigned cfi_cpu_share_of_caller(void) {
    unsigned share = plat_cpu_limits_count(CF_WORKERS_MAX);
    for (const cfi_worker_scope *s = cfi_worker_innermost(); s != NULL; s = s->outer) {
        unsigned around = cfi_cpu_share_of(s->worker->config);
        share = around < share ? around : share;
    }
    cfi_assert(share > 0 && share <= CF_WORKERS_MAX);
    return share;
}

void cfi_cpu_share_tell_openmp(const cfi_worker_config *config) {
    if (config->set_openmp_threads != NULL) {
        config->set_openmp_threads((int)cfi_cpu_share_of(config));
    }
}
