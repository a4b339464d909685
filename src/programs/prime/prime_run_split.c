/* Many tasks a number, each with a part of its divisors.
 *
 *      issue ──▶ [ part | part | part | ... a ring in the order of issue ... | part ] ──▶ collect
 *
 * - As many parts are out as the ring holds. They are collected in the order of issue.
 * - A number is decided by the first part that refutes it or fails, else by its last part. Its
 *   parts that are still in the ring are then cancelled, and no more are issued.
 * - A number's first part is short and issued alone, since most numbers that are not prime have a
 *   small divisor. The other parts are issued when it has come back without a divisor. They grow
 *   from there, so that little is begun in vain.
 * - Workers would idle while a first part is out. The first part of the next number is therefore
 *   issued a few parts before the end of the current number. It is not issued earlier, as a
 *   number's time runs from its first part.
 * - Only the main thread changes the state below, and only with stop_signals locked. If a signal
 *   ends the program, report_done() changes it with the lock held, and the main thread does not get
 *   the lock again.
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

/* The longest parts take 2 to 4 ms by trial: short against a run, long against handing a part
 * over. If the main thread is scheduled late by some of them, the ring and the look-ahead still
 * keep the workers busy.
 *
 * Spans are multiplied by the method's pace. Without that, the longest parts of `vector` took
 * 80 us, and handing them over was a good share of it: --split took 1.28 times an even share of
 * the work, and takes 1.09 times with it (AMD EPYC, 2 workers, `bench/run scaling
 * --only=split`). */
#define SPAN_FIRST       ((uint64_t)PRIME_PART_STEP << 4) /* divisors of trial's first part */
#define SPAN_GROWTH      2
#define SPAN_MAX         (SPAN_FIRST << 9)
#define RING_PER_WORKER  8 /* parts */
#define AHEAD_PER_WORKER 3 /* parts still to be issued when the next number is begun */

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
    const part_arg *part = arg;
    part_result *found = result;
    found->start_ns = plat_now_ns();
    activity_begin(cf_task_worker(context), part->n, NULL, 0, found->start_ns);
    found->refuted = PRIME_METHODS[part->method].refute(part->n, part->from, part->to);
    found->end_ns = plat_now_ns();
    activity_end(cf_task_worker(context));
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
    cf_future *future; /* NULL: submit refused it */
    refusal refused;   /* why */
    size_t number;     /* index into the job's numbers */
    double share;      /* of its number's divisors */
    bool last;         /* of its number */
} split_part;

typedef struct split_number {
    enum {
        BEGUN,   /* the first part is out */
        OPEN,    /* and has come back: more may follow */
        DECIDED, /* the outcome is known */
        DONE,    /* and shown */
    } state;
    bool issued;         /* up to the last part */
    uint64_t from, span; /* the next part's divisors, */
    uint64_t end;        /* all of them below this */
    double share;        /* of the divisors that were tried, in the parts collected so far */
    prime_outcome outcome;
    int64_t start_ns, end_ns; /* of the parts collected so far */
} split_number;

typedef struct split_run {
    const prime_job *job;
    size_t ahead; /* AHEAD_PER_WORKER times the workers */
    bool ending;  /* futures are no longer released: the main thread may be waiting for one */

    split_part *ring;
    size_t capacity, head, count;

    /* done <= current <= begun <= done + capacity; the job's numbers ... */
    split_number *numbers; /* ... from done to begun - 1, by index modulo capacity */
    size_t done;           /* ... below this are DONE */
    size_t current;        /* ... below this need no more parts to be issued */
    size_t begun;          /* ... below this have been begun */
} split_run;

static split_number *number_at(const split_run *run, size_t index) {
    return &run->numbers[index % run->capacity];
}

static split_part *part_at(const split_run *run, size_t position) {
    return &run->ring[(run->head + position) % run->capacity];
}

static void push(split_run *run, split_part part) {
    *part_at(run, run->count) = part;
    run->count++;
}

static void pop(split_run *run) {
    if (!run->ending) {
        cf_future_release(part_at(run, 0)->future);
    }
    run->head = (run->head + 1) % run->capacity;
    run->count--;
}

/* ---- collecting ------------------------------------------------------------------------------ */

/* A time of this machine. */
static int64_t since_epoch_ns(int64_t at_ns) {
    return epoch_now_ns() - (plat_now_ns() - at_ns);
}

static void show(split_run *run, size_t index) {
    split_number *number = number_at(run, index);
    number->outcome.n = run->job->numbers[index];
    number->outcome.seq = run->job->seqs[index];
    if (!number->outcome.failed) {
        number->outcome.started_ns = since_epoch_ns(number->start_ns);
        number->outcome.elapsed_ns = number->end_ns - number->start_ns;
    }
    prime_report_outcome(run->job->report, &number->outcome);
    number->state = DONE;
}

/* Moves the marks past the numbers that are behind them, showing those whose turn has come. */
static void move_marks(split_run *run) {
    while (run->done < run->begun && number_at(run, run->done)->state >= DECIDED) {
        if (number_at(run, run->done)->state == DECIDED) {
            show(run, run->done);
        }
        run->done++;
    }
    if (run->current < run->done) {
        run->current = run->done;
    }
    while (run->current < run->begun && (number_at(run, run->current)->issued ||
                                         number_at(run, run->current)->state >= DECIDED)) {
        run->current++;
    }
}

static void cancel_parts(split_run *run, size_t index) {
    for (size_t i = 0; i < run->count; i++) {
        if (part_at(run, i)->number == index && part_at(run, i)->future != NULL) {
            cf_future_cancel(part_at(run, i)->future);
        }
    }
}

static void decide(split_run *run, const split_part *part) {
    number_at(run, part->number)->state = DECIDED;
    if (!part->last) {
        cancel_parts(run, part->number);
    }
    if (run->job->completed) {
        show(run, part->number);
    }
    move_marks(run);
}

static void add_result(split_number *number, const part_result *result) {
    number->outcome.prime = !result->refuted;
    number->outcome.work_ns += result->end_ns - result->start_ns;
    if (number->start_ns > result->start_ns) {
        number->start_ns = result->start_ns;
    }
    if (number->end_ns < result->end_ns) {
        number->end_ns = result->end_ns;
    }
}

/* The number's time, which its parts share. */
static void check_time(const split_run *run, split_number *number) {
    int64_t timeout_ns = run->job->timeout_ns;
    if (timeout_ns > 0 && number->end_ns - number->start_ns > timeout_ns) {
        prime_outcome_set_timeout(&number->outcome, timeout_ns);
    }
}

/* True if the part no longer matters: its number was decided without it. */
static bool is_stale(const split_run *run, const split_part *part) {
    return part->number < run->done || number_at(run, part->number)->state >= DECIDED;
}

/* Takes the oldest part out of the ring and into account; false if it is not done. Locked. */
static bool collect(split_run *run) {
    const split_part part = *part_at(run, 0);
    if (is_stale(run, &part)) {
        pop(run);
        return true;
    }
    split_number *number = number_at(run, part.number);
    part_result result = {0};
    cf_status status = part.refused.status;
    if (part.future == NULL) {
        prime_outcome_set_refusal(&number->outcome, &part.refused);
    } else {
        status = cf_future_result(part.future, 0, &result);
        if (status == CF_ETIMEDOUT) {
            return false;
        }
        prime_outcome_set_ending(&number->outcome, part.future, status);
    }
    pop(run);
    number->state = OPEN;
    if (status == CF_OK) {
        number->share += part.share;
        add_result(number, &result);
        check_time(run, number);
    }
    if (number->outcome.failed || result.refuted || part.last) {
        decide(run, &part);
    }
    return true;
}

/* How much of the numbers that are not shown is done. Locked. */
static double under_way(const split_run *run) {
    double weight = 0;
    for (size_t i = run->done; i < run->begun; i++) {
        const split_number *number = number_at(run, i);
        if (number->state != DONE) {
            weight += prime_report_weight(run->job->report, run->job->numbers[i]) *
                      (number->state == DECIDED ? 1 : number->share);
        }
    }
    return weight;
}

/* Collects what is done at the ring's head. Locked. */
static void advance(split_run *run) {
    while (run->count > 0 && collect(run)) {}
    prime_report_flush(run->job->report);
    if (run->job->report->progress.line.shown) {
        prime_report_progress(run->job->report, under_way(run));
    }
}

/* The program has been told to end: shows the numbers of which every part is done. Locked. */
static void report_done(void *data) {
    split_run *run = data;
    run->ending = true;
    while (run->count > 0) {
        if (!collect(run)) {
            number_at(run, part_at(run, 0)->number)->state = DONE; /* will never be known */
        }
    }
    for (size_t i = run->done; i < run->begun; i++) {
        if (number_at(run, i)->state == DECIDED) {
            show(run, i);
        }
    }
    prime_report_held(run->job->report);
    prime_report_flush(run->job->report);
    prime_report_stopped(run->job->report);
}

/* ---- issuing --------------------------------------------------------------------------------- */

static bool is_nearly_issued(const split_run *run, const split_number *number) {
    return number->from + run->ahead * number->span >= number->end;
}

/* True if one number, and no more, would be open behind the one at hand. */
static bool may_look_ahead(const split_run *run) {
    return run->begun == run->current + 1 || number_at(run, run->begun - 1)->state >= DECIDED;
}

/* The number of which a part should be issued now; false if none before a part has come back. */
static bool choose(const split_run *run, size_t *index) {
    bool may_begin = run->begun < run->job->count && run->begun < run->done + run->capacity;
    *index = run->begun;
    if (run->count == run->capacity) {
        return false;
    }
    if (run->current == run->begun) {
        return may_begin;
    }
    const split_number *current = number_at(run, run->current);
    if (current->state != OPEN) {
        return false;
    }
    if (!may_begin || !may_look_ahead(run) || !is_nearly_issued(run, current)) {
        *index = run->current;
    }
    return true;
}

static split_number first_of(uint64_t n, unsigned pace) {
    return (split_number){
        .state = BEGUN,
        .from = 2,
        .span = SPAN_FIRST * pace,
        .end = prime_isqrt(n) + 1,
        .outcome = {.worker = -1},
        .start_ns = INT64_MAX,
        .end_ns = INT64_MIN,
    };
}

/* The number after its next part. */
static split_number after_part(split_number number, unsigned pace) {
    number.from = (number.from + number.span) / PRIME_PART_STEP * PRIME_PART_STEP;
    number.issued = number.from >= number.end;
    if (number.span < SPAN_MAX * pace) {
        number.span *= SPAN_GROWTH;
    }
    return number;
}

static void issue(split_run *run, size_t index) {
    const prime_job *job = run->job;
    const cf_submit_options options = {.retries = job->retries, .timeout_ns = job->timeout_ns};
    const unsigned pace = PRIME_METHODS[job->method].pace;
    const split_number before =
        index == run->begun ? first_of(job->numbers[index], pace) : *number_at(run, index);
    const split_number after = after_part(before, pace);
    const part_arg arg = {
        .n = job->numbers[index],
        .from = before.from,
        .to = after.issued ? before.end : after.from,
        .method = job->method,
    };
    split_part part = {.number = index,
                       .last = after.issued,
                       .share = arg.to > arg.from ? (double)(arg.to - arg.from) / (double)before.end
                                                  : 0};
    part.refused =
        refusal_of(cf_executor_submit_with(job->executor, &PART, &arg, &options, &part.future));

    stop_signals_lock();
    push(run, part);
    *number_at(run, index) = after;
    if (index == run->begun) {
        run->begun++;
    }
    move_marks(run);
    advance(run);
    stop_signals_unlock();
}

static void wait_for_part(split_run *run) {
    cf_future_result(part_at(run, 0)->future, progress_patience_ns(&run->job->report->progress),
                     NULL);
    stop_signals_lock();
    advance(run);
    stop_signals_unlock();
}

void prime_job_run_split(const prime_job *job) {
    size_t workers = cf_executor_max_workers(job->executor);
    split_run run = {
        .job = job,
        .ahead = AHEAD_PER_WORKER * workers,
        .capacity = RING_PER_WORKER * workers,
    };
    run.ring = calloc(run.capacity, sizeof *run.ring);
    run.numbers = calloc(run.capacity, sizeof *run.numbers);
    if (run.ring == NULL || run.numbers == NULL) {
        error(EXIT_ITEM, errno, "the list of tasks");
    }
    stop_signals_start(report_done, &run);
    while (run.done < job->count) {
        size_t index;
        if (choose(&run, &index)) {
            issue(&run, index);
        } else {
            wait_for_part(&run);
        }
    }
    stop_signals_lock();
    prime_report_held(job->report);
    prime_report_flush(job->report);
    stop_signals_unlock();
    stop_signals_end();
    while (run.count > 0) {
        pop(&run);
    }
    free(run.ring);
    free(run.numbers);
}
