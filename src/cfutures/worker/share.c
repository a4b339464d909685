#include "cfutures/worker/share.h"

#include "platform/cpu_limits.h"

unsigned cfi_share_of(const cfi_worker_life *life) {
    unsigned processors =
        life->processors != 0 ? life->processors : cfi_cpu_limits_count(CF_WORKERS_MAX);
    return processors > life->workers ? processors / life->workers : 1;
}

unsigned cfi_share_of_caller(void) {
    unsigned share = cfi_cpu_limits_count(CF_WORKERS_MAX);
    for (const cfi_worker_scope *s = cfi_worker_innermost(); s != NULL; s = s->outer) {
        unsigned around = cfi_share_of(s->worker->life);
        share = around < share ? around : share;
    }
    return share;
}

void cfi_share_tell_openmp(const cfi_worker_life *life) {
    if (life->set_openmp_threads != NULL) {
        life->set_openmp_threads((int)cfi_share_of(life));
    }
}
