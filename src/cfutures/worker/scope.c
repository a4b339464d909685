#include "cfutures/worker/scope.h"

#include "platform/assert.h"
#include "platform/process.h"

#include <stdlib.h>

_Thread_local const cfi_worker_scope *cfi_innermost_scope;
static _Thread_local bool *fork_noticed;

void cfi_worker_enter(cfi_worker_scope *scope, const cfi_worker *worker, const cfi_slot *slot) {
    cfi_assert(scope != cfi_innermost_scope); /* else the list would be a circle */
    *scope = (cfi_worker_scope){
        .worker = worker,
        .slot = slot,
        .outer = cfi_innermost_scope,
        .depth = cfi_innermost_scope != NULL ? cfi_innermost_scope->depth + 1 : 1,
        .fork_noticed = fork_noticed,
    };
    cfi_innermost_scope = scope;
    fork_noticed = NULL;
}

void cfi_worker_leave(const cfi_worker_scope *scope) {
    cfi_assert(cfi_innermost_scope == scope && scope->depth > 0);
    cfi_innermost_scope = scope->outer;
    fork_noticed = scope->fork_noticed;
}

const cfi_worker_scope *cfi_worker_scope_of(const cfi_queue *queue) {
    const cfi_worker_scope *scope = cfi_innermost_scope;
    while (scope != NULL && scope->worker->queue != queue) {
        scope = scope->outer;
    }
    return scope;
}

void cfi_worker_forget_scopes(void) {
    cfi_innermost_scope = NULL;
    if (fork_noticed != NULL) {
        *fork_noticed = true;
    }
}

void cfi_worker_end_forked_child(int error) {
    if (cfi_innermost_scope == NULL) {
        plat_process_end(error == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
}

void cfi_worker_notice_fork(bool *noticed) {
    fork_noticed = noticed;
}
