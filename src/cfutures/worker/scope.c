#include "cfutures/worker/scope.h"

#include "platform/assert.h"

static _Thread_local const cfi_worker_scope *innermost_scope;

void cfi_worker_enter(cfi_worker_scope *scope, const cfi_worker *worker) {
    cfi_assert(scope != innermost_scope); /* else the list would be a circle */
    *scope = (cfi_worker_scope){
        .worker = worker,
        .outer = innermost_scope,
        .depth = innermost_scope != NULL ? innermost_scope->depth + 1 : 1,
    };
    innermost_scope = scope;
}

void cfi_worker_leave(const cfi_worker_scope *scope) {
    cfi_assert(innermost_scope == scope && scope->depth > 0);
    innermost_scope = scope->outer;
}

const cfi_worker_scope *cfi_worker_innermost(void) {
    return innermost_scope;
}

const cfi_worker_scope *cfi_worker_scope_of(const cfi_queue *queue) {
    const cfi_worker_scope *scope = innermost_scope;
    while (scope != NULL && scope->worker->queue != queue) {
        scope = scope->outer;
    }
    return scope;
}

void cfi_worker_forget_scopes(void) {
    innermost_scope = NULL;
}
