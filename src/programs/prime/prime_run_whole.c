/* One task a number.
 *
 * All numbers are submitted, then all results collected. Whatever is done at the head of the list
 * is shown between submissions already. The main thread alone changes the state below, and only
 * with stop_signals locked; report_done() reads it on the thread that waits for signals.
 */
#include "programs/prime/prime_job.h"

#include "platform/clock.h"
#include "primes/primes.h"
#include "programs/base/activity.h"
#include "programs/base/epoch.h"
#include "programs/base/output.h"
#include "programs/base/stop_signals.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>

/* ---- the task -------------------------------------------------------------------------------- */

#define SLICE ((uint64_t)1 << 21) /* divisors, some 3 ms by trial */

typedef struct check_arg {
    uint64_t n;
    uint64_t method;
    bool limited; /* by --timeout */
} check_arg;

typedef struct check_result {
    int64_t started_ns; /* since the epoch: a rank of MPI may have another clock */
    int64_t elapsed_ns;
    bool prime;
} check_result;

/* The same test, slice by slice, so that it stops when its time is over: a thread cannot be made
 * to.
 */
static bool is_prime_in_time(const check_arg *check, const cf_task_context *context) {
    const prime_method *method = &PRIME_METHODS[check->method];
    uint64_t end = prime_isqrt(check->n) + 1;
    uint64_t from = 2;
    do {
        uint64_t to = end - from < SLICE ? end : from + SLICE;
        if (method->refute(check->n, from, to)) {
            return false;
        }
        from = to;
    } while (from < end && !cf_task_cancelled(context));
    return true;
}

static int run_check(const void *arg, void *result, cf_task_context *context) {
    const check_arg *check = arg;
    const prime_method *method = &PRIME_METHODS[check->method];
    check_result *found = result;
    found->started_ns = epoch_now_ns();
    int64_t start_ns = plat_now_ns();
    activity_begin(cf_task_worker(context), check->n, NULL, 0, start_ns);
    found->prime = check->limited && method->refute != NULL ? is_prime_in_time(check, context)
                                                            : method->is_prime(check->n);
    found->elapsed_ns = plat_now_ns() - start_ns;
    activity_end(cf_task_worker(context));
    return 0;
}

static const cf_task CHECK = {
    .name = "check",
    .run = run_check,
    .arg_size = sizeof(check_arg),
    .result_size = sizeof(check_result),
};

/* ---- showing --------------------------------------------------------------------------------- */

/* One number's task: its future, or why submit refused it. Neither once it is shown. */
typedef struct whole_run {
    const prime_job *job;
    cf_future **futures;
    refusal *refusals;
    size_t submitted; /* numbers below this have been given to submit */
    size_t head;      /* numbers below this have been shown */
    bool refused;     /* submit refused at least one */
} whole_run;

static bool is_shown(const whole_run *run, size_t i) {
    return run->futures[i] == NULL && run->refusals[i].status == CF_OK;
}

/* False if the number's task is not done. Locked. */
static bool show_if_done(whole_run *run, size_t i) {
    prime_outcome outcome = {.n = run->job->numbers[i], .seq = run->job->seqs[i], .worker = -1};
    if (run->futures[i] == NULL) {
        prime_outcome_set_refusal(&outcome, &run->refusals[i]);
    } else {
        check_result result = {0};
        cf_status status = cf_future_result(run->futures[i], 0, &result);
        if (status == CF_ETIMEDOUT) {
            return false;
        }
        outcome.prime = result.prime;
        outcome.started_ns = result.started_ns;
        outcome.elapsed_ns = outcome.work_ns = result.elapsed_ns;
        prime_outcome_set_ending(&outcome, run->futures[i], status);
    }
    prime_report_outcome(run->job->report, &outcome);
    return true;
}

static void forget(whole_run *run, size_t i) {
    cf_future_release(run->futures[i]);
    run->futures[i] = NULL;
    run->refusals[i] = (refusal){.status = CF_OK};
}

/* Shows what is done at the head of the list. Locked. */
static void advance(whole_run *run) {
    while (run->head < run->submitted) {
        if (!is_shown(run, run->head)) {
            if (!show_if_done(run, run->head)) {
                break;
            }
            forget(run, run->head);
        }
        run->head++;
    }
    prime_report_flush(run->job->report);
    prime_report_progress(run->job->report, 0);
}

/* The program has been told to end. Locked. */
static void report_done(void *data) {
    whole_run *run = data;
    for (size_t i = run->head; i < run->submitted; i++) {
        if (!is_shown(run, i)) {
            show_if_done(run, i);
        }
    }
    prime_report_held(run->job->report);
    prime_report_flush(run->job->report);
    prime_report_stopped(run->job->report);
}

/* ---- submitting and collecting --------------------------------------------------------------- */

static void submit_all(whole_run *run) {
    const prime_job *job = run->job;
    const cf_submit_options options = {.retries = job->retries, .timeout_ns = job->timeout_ns};
    for (size_t i = 0; i < job->count; i++) {
        const check_arg arg = {
            .n = job->numbers[i], .method = job->method, .limited = job->timeout_ns > 0};
        cf_future *future = NULL;
        const refusal why =
            refusal_of(cf_executor_submit_with(job->executor, &CHECK, &arg, &options, &future));

        stop_signals_lock();
        run->futures[i] = future;
        run->refusals[i] = why;
        run->refused = run->refused || why.status != CF_OK;
        run->submitted = i + 1;
        advance(run);
        stop_signals_unlock();
    }
}

/* How long to wait for a result: where the time that passes is shown, not for ever. */
static int64_t patience_ns(const whole_run *run) {
    return progress_patience_ns(&run->job->report->progress);
}

static void collect_in_order(whole_run *run) {
    for (;;) {
        stop_signals_lock();
        advance(run);
        stop_signals_unlock();
        if (run->head == run->submitted) {
            return;
        }
        cf_future_result(run->futures[run->head], patience_ns(run), NULL);
    }
}

static void flush(whole_run *run) {
    stop_signals_lock();
    prime_report_flush(run->job->report);
    prime_report_progress(run->job->report, 0);
    stop_signals_unlock();
}

/* The next one in completion order, as an index into what is watched. */
static bool next_completed(whole_run *run, cf_as_completed *completed, size_t *index) {
    cf_future *future;
    cf_status status = cf_as_completed_next(completed, 0, &future, index);
    while (status == CF_ETIMEDOUT) {
        flush(run);
        status = cf_as_completed_next(completed, patience_ns(run), &future, index);
    }
    return status == CF_OK;
}

/* Leaves to collect_in_order what it cannot do: where numbers were refused, or memory is short. */
static void collect_as_completed(whole_run *run) {
    size_t head = run->head;
    cf_as_completed *completed;
    if (run->refused ||
        cf_as_completed_create(run->futures + head, run->submitted - head, &completed) != CF_OK) {
        return;
    }
    size_t index;
    while (next_completed(run, completed, &index)) {
        stop_signals_lock();
        show_if_done(run, head + index);
        forget(run, head + index);
        stop_signals_unlock();
    }
    cf_as_completed_destroy(completed);
}

void prime_job_run_whole(const prime_job *job) {
    whole_run run = {
        .job = job,
        .futures = calloc(job->count, sizeof *run.futures),
        .refusals = calloc(job->count, sizeof *run.refusals),
    };
    if (job->count > 0 && (run.futures == NULL || run.refusals == NULL)) {
        error(EXIT_ITEM, errno, "the list of tasks");
    }
    stop_signals_start(report_done, &run);
    submit_all(&run);
    if (job->completed) {
        collect_as_completed(&run);
    }
    collect_in_order(&run);
    stop_signals_lock();
    prime_report_held(job->report);
    prime_report_flush(job->report);
    stop_signals_unlock();
    stop_signals_end();
    free(run.futures);
    free(run.refusals);
}
