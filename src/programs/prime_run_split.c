/* Many tasks a number, each with a part of its divisors.
 *
 *      issue ──▶ [ part | part | part | ... a ring in the order of issue ... | part ] ──▶ collect
 *
 * Parts are issued number by number, as many as the ring holds, so that workers find parts of the
 * next number where one ends, and collected in the same order: at the collecting end all parts of a
 * number pass before the first of the next. A number is decided by a part that refutes it or fails,
 * else by its last one; what is left of it in the ring is then cancelled, and no more of it is
 * issued.
 *
 * Parts of one number grow, so that little is begun in vain where a small divisor decides; their
 * greatest size costs 1 to 2 ms, short against the run and long against handing it to a worker.
 *
 * The main thread alone changes the state below, and only with stop_signals locked; report_done()
 * goes on with it when the main thread never will again.
 */
#include "programs/prime_job.h"

#include "primes/primes.h"
#include "programs/monotonic.h"
#include "programs/output.h"
#include "programs/stop_signals.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>

#define SPAN_FIRST       ((uint64_t)1 << 12) /* divisors, tried or skipped, in a number's first part */
#define SPAN_GROWTH      4
#define SPAN_MAX         ((uint64_t)1 << 20)
#define PARTS_PER_WORKER 16 /* in the ring */

/* ---- the task -------------------------------------------------------------------------------- */

typedef struct part_arg {
    uint64_t n;
    uint64_t from, to;
    uint64_t method;
} part_arg;

typedef struct part_result {
    int64_t start_ns, end_ns;
    bool refuted;
} part_result;

static int run_part(const void *arg, void *result, cf_task_context *context) {
    (void)context;
    const part_arg *part = arg;
    part_result *found = result;
    found->start_ns = monotonic_ns();
    found->refuted = PRIME_METHODS[part->method].refute(part->n, part->from, part->to);
    found->end_ns = monotonic_ns();
    return 0;
}

static const cf_task PART = {
    .name = "part",
    .run = run_part,
    .arg_size = sizeof(part_arg),
    .result_size = sizeof(part_result),
};

/* ---- state ----------------------------------------------------------------------------------- */

typedef struct split_part {
    cf_future *future; /* NULL: submit refused it, with status */
    cf_status status;
    size_t number; /* index into the job's numbers */
    bool last;     /* of its number */
} split_part;

typedef struct split_run {
    const prime_job *job;
    bool ending; /* futures are no longer released: the main thread may be waiting for one */

    split_part *ring;
    size_t capacity, head, count;

    /* The issuing end: the next part is of this number, */
    size_t number;
    uint64_t from, span, end; /* and begins at `from`; the number's last one ends before `end` */

    /* The collecting end: what is known of the number that the ring's head belongs to. */
    prime_outcome outcome;
    int64_t start_ns, end_ns;
} split_run;

static split_part *ring_head(split_run *run) {
    return &run->ring[run->head];
}

static void ring_push(split_run *run, split_part part) {
    run->ring[(run->head + run->count) % run->capacity] = part;
    run->count++;
}

static void ring_pop(split_run *run) {
    if (!run->ending) {
        cf_future_release(ring_head(run)->future);
    }
    run->head = (run->head + 1) % run->capacity;
    run->count--;
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void begin_issuing(split_run *run, size_t number) {
    run->number = number;
    if (number < run->job->count) {
        run->from = 2;
        run->span = SPAN_FIRST;
        run->end = prime_isqrt(run->job->numbers[number]) + 1;
    }
}

static void begin_collecting(split_run *run) {
    run->outcome = (prime_outcome){.worker = -1};
    run->start_ns = INT64_MAX;
    run->end_ns = INT64_MIN;
}

/* Nothing more is to be done for a number of which the ring's head may hold further parts. */
static void abandon(split_run *run, size_t number) {
    while (run->count > 0 && ring_head(run)->number == number) {
        if (ring_head(run)->future != NULL) {
            cf_future_cancel(ring_head(run)->future);
        }
        ring_pop(run);
    }
    if (run->number == number) {
        begin_issuing(run, number + 1);
    }
    begin_collecting(run);
}

static void show(split_run *run, size_t number) {
    run->outcome.n = run->job->numbers[number];
    if (!run->outcome.failed) {
        run->outcome.elapsed_ns = run->end_ns - run->start_ns;
    }
    prime_report_outcome(run->job->report, &run->outcome);
}

static void add_result(split_run *run, const part_result *result) {
    run->outcome.prime = !result->refuted;
    run->outcome.work_ns += result->end_ns - result->start_ns;
    run->start_ns = result->start_ns < run->start_ns ? result->start_ns : run->start_ns;
    run->end_ns = result->end_ns > run->end_ns ? result->end_ns : run->end_ns;
}

/* Takes the part at the ring's head into account; false if it is not done. Locked. */
static bool collect(split_run *run) {
    const split_part part = *ring_head(run);
    part_result result = {.refuted = true}; /* stays so if the part failed: that decides too */
    if (part.future == NULL) {
        prime_outcome_set_refusal(&run->outcome, part.status);
    } else {
        cf_status status = cf_future_result(part.future, 0, &result);
        if (status == CF_ETIMEDOUT) {
            return false;
        }
        prime_outcome_set_ending(&run->outcome, part.future, status);
    }
    ring_pop(run);
    if (!run->outcome.failed) {
        add_result(run, &result);
    }
    if (part.last || result.refuted) {
        show(run, part.number);
        abandon(run, part.number);
    }
    return true;
}

/* Shows all numbers that are decided. Locked. */
static void advance(split_run *run) {
    while (run->count > 0 && collect(run)) {}
    output_flush();
}

/* The program has been told to end. Locked. */
static void report_done(void *data) {
    split_run *run = data;
    run->ending = true;
    while (run->count > 0) {
        if (!collect(run)) {
            abandon(run, ring_head(run)->number);
        }
    }
    output_flush();
}

/* ---- issuing --------------------------------------------------------------------------------- */

static part_arg next_part(const split_run *run) {
    uint64_t left = run->end > run->from ? run->end - run->from : 0;
    return (part_arg){
        .n = run->job->numbers[run->number],
        .from = run->from,
        .to = run->from + (left < run->span ? left : run->span),
        .method = run->job->method,
    };
}

static void issue(split_run *run) {
    const cf_submit_options options = {.retries = run->job->retries};
    const part_arg arg = next_part(run);
    split_part part = {.number = run->number, .last = arg.to >= run->end};
    part.status = cf_executor_submit_with(run->job->executor, &PART, &arg, &options, &part.future);

    stop_signals_lock();
    ring_push(run, part);
    if (part.last) {
        begin_issuing(run, run->number + 1);
    } else {
        run->from = arg.to;
        run->span = run->span < SPAN_MAX ? run->span * SPAN_GROWTH : SPAN_MAX;
    }
    advance(run);
    stop_signals_unlock();
}

static void wait_for_head(split_run *run) {
    cf_future_result(ring_head(run)->future, CF_FOREVER, NULL);
    stop_signals_lock();
    advance(run);
    stop_signals_unlock();
}

void prime_job_run_split(const prime_job *job) {
    split_run run = {
        .job = job,
        .capacity = (size_t)PARTS_PER_WORKER * cf_executor_max_workers(job->executor),
    };
    run.ring = calloc(run.capacity, sizeof *run.ring);
    if (run.ring == NULL) {
        error(EXIT_ITEM, errno, "the list of tasks");
    }
    begin_issuing(&run, 0);
    begin_collecting(&run);

    stop_signals_start(report_done, &run);
    while (run.number < job->count || run.count > 0) {
        if (run.number < job->count && run.count < run.capacity) {
            issue(&run);
        } else {
            wait_for_head(&run);
        }
    }
    stop_signals_end();
    free(run.ring);
}
