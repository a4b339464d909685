#include "programs/timeline/observing.h"

#include "programs/base/output.h"
#include "programs/base/resident.h"
#include "programs/base/stop_signals.h"
#include "programs/timeline/report.h"
#include "programs/timeline/trace.h"

#include "platform/clock.h"
#include "platform/thread.h"
#include "platform/thread_id.h"

#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_EVERY_NS INT64_C(20000000)

/* The table and the trace's end are under `lock`: the library's thread adds to them, and if a signal ends the
 * program, its thread writes what is there. */
struct observing {
    observing_options options;
    observing_subject subject;
    cf_observer observer;
    pthread_mutex_t lock;
    run_table table;
    trace *trace;
    cf_executor *executor; /* the counter may ask it */
    cf_event *begun;       /* by worker: what it runs; attempt 0 = nothing */
    unsigned begun_room;
    pthread_t counter;
    bool counts, stops, over, told;
    int trace_problem, report_problem; /* why a file is not written; 0 = it is */
    pthread_cond_t stop;
};

/* ---- options ---------------------------------------------------------------------------------- */

command_line_option observing_trace_option(observing_options *options) {
    return (command_line_option){"trace", 0, "FILE",
                                 "Write to FILE what each worker did when, for Perfetto",
                                 .text = &options->trace};
}

command_line_option observing_report_option(observing_options *options) {
    return (command_line_option){"report", 0, "FILE",
                                 "Write to FILE a page that shows the run, for a browser",
                                 .text = &options->report};
}

/* ---- the table, under the lock ------------------------------------------------------------------ */

static int32_t wait_status_of(const cf_exception *exception) {
    return exception->signal != 0 ? exception->signal : exception->exit_code << 8;
}

static run_ending ending_of(const cf_event *event) {
    const cf_status status = event->exception.status;
    return event->kind == CF_EVENT_BEGUN ? RUN_OPEN
           : status == CF_OK             ? RUN_OK
           : status == CF_EDEADLINE      ? RUN_LATE
           : status == CF_ETASK          ? RUN_ERROR
                                         : RUN_DIED;
}

static void note_run(observing *self, const cf_event *event) {
    const cf_exception *exception = &event->exception;
    run_table_add_run(&self->table,
                      &(run_entry){
                          .item = event->count > 0 ? event->first : event->task,
                          .items = event->count > 0 ? (uint32_t)event->count : 1,
                          .attempt = event->attempt,
                          .submitted_ns = event->submitted_ns,
                          .begun_ns = event->begun_ns,
                          .ended_ns = event->at_ns,
                          .worker = event->worker,
                          .detail = exception->status == CF_ETASK ? exception->task_error
                                                                  : wait_status_of(exception),
                          .ending = ending_of(event),
                          .name = run_table_name(&self->table, event->name),
                      });
}

/* NULL if it is not in the table. The end of a worker that died may be told after the start of the one in its place. */
static run_worker *life_of(run_table *table, const cf_event *event) {
    for (size_t i = table->lives_count; i-- > 0;) {
        run_worker *life = &table->lives[i];
        if (life->number == event->worker && life->id == event->id && life->gone_ns == 0) {
            return life;
        }
    }
    return NULL;
}

static void note_life(observing *self, const cf_event *event) {
    if (event->kind == CF_EVENT_WORKER_STARTED) {
        run_table_add_worker(
            &self->table,
            &(run_worker){.number = event->worker, .id = event->id, .started_ns = event->at_ns});
        return;
    }
    run_worker *life = life_of(&self->table, event);
    if (life != NULL) {
        life->gone_ns = event->at_ns;
        life->wait_status = wait_status_of(&event->exception);
    }
}

/* ---- runs that have not ended, under the lock ---------------------------------------------------- */

static cf_event *begun_by(observing *self, int worker) {
    if ((unsigned)worker >= self->begun_room) {
        const unsigned room = (unsigned)worker + 16;
        cf_event *begun = realloc(self->begun, room * sizeof *begun);
        if (begun == NULL) {
            self->table.no_memory = true;
            return NULL;
        }
        memset(begun + self->begun_room, 0, (room - self->begun_room) * sizeof *begun);
        self->begun = begun;
        self->begun_room = room;
    }
    return &self->begun[worker];
}

/* If a worker runs a task inside another one, the inner one counts. */
static void note_begun(observing *self, const cf_event *event) {
    cf_event *begun = begun_by(self, event->worker);
    if (begun != NULL && event->kind == CF_EVENT_BEGUN) {
        *begun = *event;
    } else if (begun != NULL && begun->task == event->task && begun->attempt == event->attempt) {
        begun->attempt = 0;
    }
}

static void note_open_runs(observing *self) {
    for (unsigned i = 0; i < self->begun_room; i++) {
        cf_event event = self->begun[i];
        if (event.attempt == 0) {
            continue;
        }
        if (self->trace != NULL) {
            trace_add(self->trace, &event, 1);
        }
        event.begun_ns = event.at_ns;
        event.at_ns = self->table.ended_ns;
        note_run(self, &event);
    }
}

/* ---- on the library's thread -------------------------------------------------------------------- */

/* How many tasks wait, and how much memory there is, every now and then. */
static void count_now(observing *self) {
    cf_stats stats;
    const bool records =
        self->executor != NULL && self->trace != NULL; /* a signal may have ended it */
    if (records && cf_executor_stats(self->executor, &stats) == CF_OK) {
        trace_count(self->trace, plat_now_ns(), stats.pending, resident_bytes(0));
    }
}

static void *counter_main(void *context) {
    observing *self = context;
    plat_thread_name("trace-counter");
    pthread_mutex_lock(&self->lock);
    while (!self->stops) {
        count_now(self);
        const int64_t until_ns = plat_now_ns() + COUNT_EVERY_NS;
        const struct timespec until = {.tv_sec = until_ns / 1000000000,
                                       .tv_nsec = until_ns % 1000000000};
        pthread_cond_timedwait(&self->stop, &self->lock, &until);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* With the first event, not before: a process pool forks when it is made. */
static void start_counter(observing *self) {
    if (self->trace != NULL && self->executor != NULL && !self->counts && !self->over) {
        self->counts = plat_thread_start(&self->counter, counter_main, self) == 0;
    }
}

/* For the report, and for the trace beside it. */
static void note(observing *self, const cf_event *event) {
    if (event->kind == CF_EVENT_BEGUN || event->kind == CF_EVENT_ENDED) {
        note_begun(self, event);
    }
    if (self->trace != NULL && event->kind != CF_EVENT_BEGUN) {
        trace_add(self->trace, event, 1);
    }
    if (event->kind == CF_EVENT_ENDED) {
        note_run(self, event);
    } else if (event->kind == CF_EVENT_WORKER_STARTED || event->kind == CF_EVENT_WORKER_GONE) {
        note_life(self, event);
    }
}

static void observe(void *context, const cf_event *events, size_t count) {
    observing *self = context;
    pthread_mutex_lock(&self->lock);
    start_counter(self);
    if (self->trace != NULL && self->options.report == NULL) {
        trace_add(self->trace, events, count); /* none of them has only begun */
    }
    for (size_t i = 0; i < count && self->options.report != NULL && !self->over; i++) {
        note(self, &events[i]);
    }
    pthread_mutex_unlock(&self->lock);
}

/* ---- the end ------------------------------------------------------------------------------------ */

/* Under the lock; once. */
static void write_files(observing *self) {
    if (self->over) {
        return;
    }
    self->over = true;
    self->table.ended_ns = plat_now_ns();
    note_open_runs(self);
    self->trace_problem = trace_close(self->trace);
    self->trace = NULL;
    if (self->options.report != NULL && !report_write(&self->table, self->options.report)) {
        self->report_problem = errno;
    }
}

/* Under the lock; once. 0, or EXIT_IO. */
static int tell_problems(observing *self) {
    const bool tell = !self->told;
    self->told = true;
    if (tell && self->trace_problem != 0) {
        error(0, self->trace_problem, "%s", self->options.trace);
    }
    if (tell && self->report_problem != 0) {
        error(0, self->report_problem, "%s", self->options.report);
    }
    return self->trace_problem != 0 || self->report_problem != 0 ? EXIT_IO : 0;
}

/* A signal ends the program: what is known by now. */
static void write_at_signal(void *data) {
    observing *self = data;
    pthread_mutex_lock(&self->lock);
    write_files(self);
    tell_problems(self);
    pthread_mutex_unlock(&self->lock);
}

void observing_stop(observing *self) {
    if (self != NULL) {
        pthread_mutex_lock(&self->lock);
        write_files(self);
        pthread_mutex_unlock(&self->lock);
    }
}

int observing_end(observing *self) {
    if (self == NULL) {
        return 0;
    }
    stop_signals_then(NULL, NULL);
    pthread_mutex_lock(&self->lock);
    self->stops = true;
    pthread_cond_signal(&self->stop);
    pthread_mutex_unlock(&self->lock);
    if (self->counts) {
        plat_thread_join(self->counter);
    }
    pthread_mutex_lock(&self->lock);
    write_files(self);
    const int code = tell_problems(self);
    pthread_mutex_unlock(&self->lock);
    run_table_free(&self->table);
    pthread_cond_destroy(&self->stop);
    pthread_mutex_destroy(&self->lock);
    free(self->begun);
    free(self);
    return code;
}

/* ---- the program -------------------------------------------------------------------------------- */

static void explain_workers(observing *self) {
    cf_cpu_explanation cpus;
    if (self->subject.why != NULL) {
        snprintf(self->table.why, sizeof self->table.why, "%s", self->subject.why);
        return;
    }
    const unsigned count = cf_cpu_count(&cpus);
    if (self->subject.asked > 0) {
        snprintf(self->table.why, sizeof self->table.why, "as asked for; %u %s may be used (%s)",
                 count, count == 1 ? "processor" : "processors", cpus.decided_by);
    } else {
        snprintf(self->table.why, sizeof self->table.why, "%u %s may be used (%s)", count,
                 count == 1 ? "processor" : "processors", cpus.decided_by);
    }
}

observing *observing_begin(const observing_options *options, const observing_subject *subject) {
    if (options->trace == NULL && options->report == NULL) {
        return NULL;
    }
    observing *self = calloc(1, sizeof *self);
    if (self == NULL) {
        error(EXIT_ITEM, errno, "cannot record the run");
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&self->lock, NULL);
    self->options = *options;
    self->subject = *subject;
    self->observer = (cf_observer){
        .observe = observe,
        .context = self,
        .kinds = CF_EVENTS_ALL & ~CF_EVENT_BIT(CF_EVENT_SUBMITTED) &
                 ~(options->report == NULL ? CF_EVENT_BIT(CF_EVENT_BEGUN) : 0),
    };
    self->table = (run_table){
        .program = subject->program,
        .worker = subject->worker,
        .workers = subject->workers,
        .ordered = subject->ordered,
        .begun_ns = plat_now_ns(),
        .most = options->report != NULL ? RUN_TABLE_MOST : 0,
    };
    explain_workers(self);
    if (options->trace != NULL) {
        self->trace =
            trace_open(options->trace, subject->program, subject->worker, self->table.begun_ns);
        if (self->trace == NULL) {
            error(EXIT_IO, errno, "%s", options->trace);
        }
    }
    stop_signals_then(write_at_signal, self);
    return self;
}

const cf_observer *observing_observer(const observing *self) {
    return self != NULL ? &self->observer : NULL;
}

void observing_executor(observing *self, cf_executor *executor) {
    if (self != NULL) {
        pthread_mutex_lock(&self->lock);
        self->executor = executor;
        self->table.workers = cf_executor_max_workers(executor);
        pthread_mutex_unlock(&self->lock);
    }
}

void observing_handed(observing *self, uint64_t item, const char *label) {
    if (self != NULL) {
        const int64_t now_ns = plat_now_ns();
        pthread_mutex_lock(&self->lock);
        run_table_add_result(&self->table, item, label, now_ns);
        if (self->trace != NULL) {
            trace_handed(self->trace, now_ns, item, label);
        }
        pthread_mutex_unlock(&self->lock);
    }
}

void observing_attempt(observing *self, const run_entry *run, const char *name, const char *label,
                       const char *reason) {
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    if (!self->over) {
        run_entry entry = *run;
        entry.name = run_table_name(&self->table, name);
        entry.reason = run_table_reason(&self->table, reason);
        run_table_add_run(&self->table, &entry);
        if (self->trace != NULL) {
            trace_attempt(self->trace, &entry, label,
                          entry.reason > 0 ? self->table.reasons[entry.reason - 1] : NULL);
        }
    }
    pthread_mutex_unlock(&self->lock);
}
