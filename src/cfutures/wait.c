/* Waiting for several futures: an iteration in completion order that may end early. */
#include "cfutures/core/ending.h"

#include "platform/assert.h"
#include "platform/clock.h"

static bool ends_wait(cf_wait_for condition, cf_future *done) {
    cf_exception exception;
    switch (condition) {
    case CF_FIRST_COMPLETED:
        return true;
    case CF_FIRST_EXCEPTION: /* a cancelled task does not count, as in Python */
        cfi_ending_of(done, &exception);
        return exception.status != CF_OK && exception.status != CF_ECANCELLED;
    case CF_ALL_COMPLETED:
        break;
    }
    return false;
}

/* Counts every future that is done. When the condition is met, it no longer waits, but still counts
 * the others that are done by then. */
static cf_status count_until(cf_as_completed *iteration, cf_wait_for condition, int64_t timeout_ns,
                             size_t *done) {
    int64_t deadline_ns = plat_deadline_ns(timeout_ns);
    bool met = false;
    cf_future *future;
    for (;;) {
        cf_status status =
            cf_as_completed_next(iteration, met ? 0 : plat_timeout_ns(deadline_ns), &future, NULL);
        if (status == CF_EEXHAUSTED || (status == CF_ETIMEDOUT && met)) {
            return CF_OK;
        }
        cfi_assert(status != CF_ETIMEDOUT || timeout_ns >= 0);
        if (status != CF_OK) {
            return status;
        }
        ++*done;
        met = met || ends_wait(condition, future);
    }
}

cf_status cf_wait(cf_future *const *futures, size_t count, cf_wait_for condition,
                  int64_t timeout_ns, size_t *done) {
    size_t ignored;
    if (done == NULL) {
        done = &ignored;
    }
    *done = 0;
    if (condition != CF_ALL_COMPLETED && condition != CF_FIRST_COMPLETED &&
        condition != CF_FIRST_EXCEPTION) {
        return CF_EINVAL;
    }
    cf_as_completed *iteration;
    cf_status status = cf_as_completed_create(futures, count, &iteration);
    if (status == CF_OK) {
        status = count_until(iteration, condition, timeout_ns, done);
        cf_as_completed_destroy(iteration);
        cfi_assert(*done <= count);
    }
    return status;
}
