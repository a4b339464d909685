#include "nested.h"

const unsigned worker_counts[3] = {1, 2, 4};

static cf_status next_of(cf_future *f, int64_t timeout_ns) {
    cf_as_completed *ac;
    cf_future *done;
    cf_status status = cf_as_completed_create(&f, 1, &ac);
    if (status == CF_OK) {
        status = cf_as_completed_next(ac, timeout_ns, &done, NULL);
        cf_as_completed_destroy(ac);
    }
    return status;
}

cf_status wait_for(cf_future *f, manner how, int64_t timeout_ns) {
    cf_exception why;
    const void *lies_at;
    size_t size;
    switch (how) {
    case BY_EXCEPTION:
        return cf_future_exception(f, timeout_ns, &why);
    case BY_VIEW:
        return cf_future_view(f, timeout_ns, &lies_at, &size);
    case BY_WAIT_FOR_ALL:
        return cf_wait(&f, 1, CF_ALL_COMPLETED, timeout_ns, NULL);
    case BY_WAIT_FOR_FIRST:
        return cf_wait(&f, 1, CF_FIRST_COMPLETED, timeout_ns, NULL);
    case BY_AS_COMPLETED:
        return next_of(f, timeout_ns);
    case BY_RESULT:
    case MANNERS:
        break;
    }
    return cf_future_result(f, timeout_ns, NULL);
}
