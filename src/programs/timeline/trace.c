#define _GNU_SOURCE
#include "programs/timeline/trace.h"

#include "platform/clock.h"
#include "platform/thread.h"
#include "platform/thread_id.h"
#include "programs/timeline/trace_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define WRITE_EVERY_NS INT64_C(200000000)

enum {
    TEXT_BYTES = 64 << 10, /* of one write */
    AT_ONCE = 512,         /* records that are written before others may add some */
    HUGE_PAGE = 2 << 20,
};

_Static_assert(sizeof(trace_record) * TRACE_RECORDS % HUGE_PAGE == 0, "whole pages");

struct trace {
    int file;
    int error;            /* of the first write that failed */
    unsigned names_count; /* of text.names: who adds a record adds its name before */

    /* Without a lock: the writer, which often has to wait for a processor, would hold it meanwhile. */
    trace_record *ring;
    _Atomic uint64_t head; /* of who adds */
    _Atomic uint64_t tail; /* of who writes */

    pthread_t writer;
    bool has_writer;
    pthread_mutex_t lock; /* for: */
    bool stops;
    pthread_cond_t stop;

    pthread_mutex_t out_lock; /* of who writes */
    trace_text text;
};

/* ---- what is written, under out_lock ------------------------------------------------------------ */

static void write_out(trace *self) {
    trace_text *text = &self->text;
    size_t done = 0;
    while (done < text->length && self->error == 0) {
        const ssize_t n = write(self->file, text->text + done, text->length - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            self->error = errno;
        }
    }
    text->length = 0;
}

static void write_record(trace *self, const trace_record *event) {
    if (self->text.length + TRACE_TEXT_MOST > TEXT_BYTES) {
        write_out(self);
    }
    trace_text_record(&self->text, event);
}

/* ---- the ring --------------------------------------------------------------------------------- */

/* False: there is nothing left. */
static bool write_some(trace *self) {
    pthread_mutex_lock(&self->out_lock);
    const uint64_t tail = atomic_load_explicit(&self->tail, memory_order_relaxed);
    const uint64_t there = atomic_load_explicit(&self->head, memory_order_acquire) - tail;
    const uint64_t count = there < AT_ONCE ? there : AT_ONCE;
    for (uint64_t i = 0; i < count; i++) {
        write_record(self, &self->ring[(tail + i) % TRACE_RECORDS]);
    }
    if (count < AT_ONCE) {
        write_out(self);
    }
    atomic_store_explicit(&self->tail, tail + count, memory_order_release);
    pthread_mutex_unlock(&self->out_lock);
    return count == AT_ONCE;
}

static void wait_a_while(trace *self) {
    const int64_t until_ns = plat_now_ns() + WRITE_EVERY_NS;
    const struct timespec until = {.tv_sec = until_ns / 1000000000,
                                   .tv_nsec = until_ns % 1000000000};
    pthread_mutex_lock(&self->lock);
    if (!self->stops) {
        pthread_cond_timedwait(&self->stop, &self->lock, &until);
    }
    pthread_mutex_unlock(&self->lock);
}

static bool is_to_stop(trace *self) {
    pthread_mutex_lock(&self->lock);
    const bool stops = self->stops;
    pthread_mutex_unlock(&self->lock);
    return stops;
}

static void *writer_main(void *context) {
    trace *self = context;
    plat_thread_name("trace-writer");
    /* Of this thread; a refusal only costs time. */
    setpriority(PRIO_PROCESS, (id_t)plat_thread_id(), 19);
    while (!is_to_stop(self)) {
        while (!is_to_stop(self) && write_some(self)) {}
        wait_a_while(self);
    }
    return NULL;
}

/* With the first record, not before: a process pool forks when it is made. Without a thread, the ring is written
 * out whenever it is full. */
static void start_writer(trace *self) {
    self->has_writer = plat_thread_start(&self->writer, writer_main, self) == 0;
}

/* The room for the next records, up to the ring's end, for the only thread that adds any. At least one: while there is
 * none, it writes. */
static trace_record *next_room(trace *self, size_t *count) {
    for (;;) {
        const uint64_t head = atomic_load_explicit(&self->head, memory_order_relaxed);
        const uint64_t tail = atomic_load_explicit(&self->tail, memory_order_acquire);
        const size_t place = (size_t)(head % TRACE_RECORDS), to_end = TRACE_RECORDS - place;
        const size_t room = TRACE_RECORDS - (size_t)(head - tail);
        if (room > 0) {
            *count = room < to_end ? room : to_end;
            return &self->ring[place];
        }
        write_some(self);
    }
}

static void added(trace *self, size_t count) {
    const uint64_t head = atomic_load_explicit(&self->head, memory_order_relaxed);
    atomic_store_explicit(&self->head, head + count, memory_order_release);
    if (head == 0) {
        start_writer(self);
    }
}

static void add(trace *self, const trace_record *event) {
    size_t room;
    *next_room(self, &room) = *event;
    added(self, 1);
}

/* ---- from outside ----------------------------------------------------------------------------- */

static uint8_t number_name(trace *self, const char *name) {
    for (unsigned i = self->names_count; i-- > 0;) {
        if (self->text.names[i] == name) {
            return (uint8_t)i;
        }
    }
    if (self->names_count == TRACE_NAMES_MOST) {
        return 0;
    }
    self->text.names[self->names_count] = name;
    return (uint8_t)self->names_count++;
}

/* Where it lies: to copy it would cost more than to fill it in. */
static void fill_in(trace_record *record, trace *self, const cf_event *event) {
    const bool is_life =
        event->kind == CF_EVENT_WORKER_STARTED || event->kind == CF_EVENT_WORKER_GONE;
    const cf_exception *exception = &event->exception;
    record->at_ns = event->at_ns;
    record->submitted_ns = event->submitted_ns;
    record->begun_ns = event->begun_ns;
    record->first = event->first;
    record->task = is_life ? (uint64_t)event->id : event->task;
    record->count = (uint32_t)event->count;
    record->detail = exception->status == CF_ETASK ? exception->task_error
                     : exception->signal != 0      ? exception->signal
                                                   : exception->exit_code;
    record->attempt = (uint16_t)event->attempt;
    record->worker = (int16_t)event->worker;
    record->kind = (uint8_t)event->kind;
    record->outcome = (uint8_t)(exception->status | (exception->signal != 0 ? TRACE_BY_SIGNAL : 0));
    record->name = event->name != NULL ? number_name(self, event->name) : 0;
    record->reason = 0;
}

void trace_add(trace *self, const cf_event *events, size_t count) {
    while (count > 0) {
        size_t room;
        trace_record *records = next_room(self, &room);
        const size_t some = count < room ? count : room;
        for (size_t i = 0; i < some; i++) {
            fill_in(&records[i], self, &events[i]);
        }
        added(self, some);
        events += some;
        count -= some;
    }
}

static cf_status status_of(run_ending ending) {
    return ending == RUN_OK     ? CF_OK
           : ending == RUN_LATE ? CF_EDEADLINE
           : ending == RUN_DIED ? CF_EWORKER
                                : CF_ETASK;
}

void trace_attempt(trace *self, const run_entry *run, const char *label, const char *reason) {
    trace_record event = {
        .at_ns = run->ended_ns,
        .submitted_ns = run->submitted_ns,
        .begun_ns = run->begun_ns,
        .first = (uint64_t)run->first_byte_ns,
        .task = run->item,
        .attempt = (uint16_t)run->attempt,
        .worker = (int16_t)run->worker,
        .detail = run->detail,
        .kind = TRACE_ATTEMPT,
        .outcome = (uint8_t)status_of(run->ending),
        .reason = reason != NULL ? number_name(self, reason) : 0,
    };
    snprintf(event.attempt_label, sizeof event.attempt_label, "%s", label);
    add(self, &event);
}

void trace_handed(trace *self, int64_t at_ns, uint64_t item, const char *label) {
    trace_record event = {.kind = TRACE_HANDED, .at_ns = at_ns, .task = item};
    snprintf(event.label, sizeof event.label, "%s", label);
    add(self, &event);
}

void trace_count(trace *self, int64_t at_ns, uint64_t pending, uint64_t bytes) {
    add(self,
        &(trace_record){.kind = TRACE_COUNTERS, .at_ns = at_ns, .task = pending, .first = bytes});
}

/* Memory is taken as it is used. In huge pages that interrupts the thread that adds a record 500 times less often. */
static trace_record *allocate_ring(void) {
    const size_t size = sizeof(trace_record) * TRACE_RECORDS;
    trace_record *ring = aligned_alloc(HUGE_PAGE, size);
    if (ring != NULL) {
        madvise(ring, size, MADV_HUGEPAGE); /* a refusal costs only time */
    }
    return ring;
}

trace *trace_open(const char *file, const char *program, const char *worker, int64_t begun_ns) {
    trace *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->out_lock, NULL);
    self->text.process = (long)getpid();
    self->text.zero_ns = begun_ns;
    strncpy(self->text.worker, worker, sizeof self->text.worker - 1);
    self->text.names[0] = program;
    self->names_count = 1;
    self->text.text = malloc(TEXT_BYTES);
    self->ring = allocate_ring();
    self->file = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (self->text.text == NULL || self->ring == NULL || self->file < 0) {
        const int error = self->file < 0 ? errno : ENOMEM;
        trace_close(self);
        errno = error;
        return NULL;
    }
    trace_text_head(&self->text, program);
    write_out(self);
    return self;
}

static void stop_writer(trace *self) {
    pthread_mutex_lock(&self->lock);
    self->stops = true;
    pthread_cond_signal(&self->stop);
    pthread_mutex_unlock(&self->lock);
    if (self->has_writer) {
        plat_thread_join(self->writer);
    }
}

int trace_close(trace *self) {
    if (self == NULL) {
        return 0;
    }
    stop_writer(self);
    int error = self->error;
    if (self->file >= 0 && self->text.text != NULL && self->ring != NULL) {
        while (write_some(self)) {}
        trace_text_end(&self->text);
        write_out(self);
        error = self->error;
    }
    if (self->file >= 0 && close(self->file) != 0 && error == 0) {
        error = errno;
    }
    pthread_mutex_destroy(&self->lock);
    pthread_mutex_destroy(&self->out_lock);
    pthread_cond_destroy(&self->stop);
    free(self->text.text);
    free(self->ring);
    free(self);
    return error;
}
