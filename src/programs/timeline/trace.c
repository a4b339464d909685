#define _GNU_SOURCE
#include "programs/timeline/trace.h"

#include "platform/clock.h"
#include "platform/thread.h"
#include "platform/thread_id.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WRITE_EVERY_NS INT64_C(50000000)

enum {
    TEXT_BYTES = 64 << 10, /* of one write */
    EVENT_MOST =
        2048, /* bytes of one event, with two texts of NAME_MOST bytes that are all escaped */
    NAME_MOST = 100,
    EVENTS_MOST = 8, /* of one record */
    NAMES_MOST = 256,
    NAMED_WORKERS = 8192,
    COUNTERS = 255, /* in place of a kind */
    HANDED = 254,
    ATTEMPT = 253,
    AT_ONCE = 512, /* records that the writer takes */
};

/* One event, as it is kept. */
typedef struct record {
    int64_t at_ns;
    union {
        struct {
            int64_t submitted_ns;
            int64_t begun_ns;
            uint64_t first; /* of counters: bytes; of attempts: when the first byte came, or 0 */
        };
        char label[24]; /* of results */
    };
    uint64_t task; /* of lives: the id; of counters: pending tasks; of results: the item */
    union {
        uint32_t count;
        char attempt_label[TRACE_LABEL_MOST + 1];
    };
    int32_t detail; /* error, signal, exit code: as the outcome says */
    uint16_t attempt;
    int16_t worker;
    uint8_t kind;
    uint8_t outcome; /* and BY_SIGNAL */
    uint8_t name;
    uint8_t reason; /* of attempts: one of the names; 0 = none */
} record;

_Static_assert(sizeof(record) <= TRACE_RECORD_BYTES, "as the header says");
_Static_assert(CF_WORKERS_MAX <= INT16_MAX && CF_RETRIES_MAX < UINT16_MAX, "they fit");

#define BY_SIGNAL 0x80u /* `detail` is a signal, not an exit code */

static cf_status outcome_of(const record *event) {
    return (cf_status)(event->outcome & ~BY_SIGNAL);
}

struct trace {
    int file;
    int error; /* of the first write that failed */
    long process;
    char worker[32];
    int64_t zero_ns;
    const char *names[NAMES_MOST];
    unsigned names_count;

    pthread_mutex_t lock; /* for the ring, and who may take from it */
    pthread_cond_t more;  /* the writer is to stop */
    record *ring;
    uint64_t head, tail;
    bool stops, has_writer;
    pthread_t writer;

    pthread_mutex_t out_lock; /* for the rest; taken before `lock` */
    char *text;
    size_t length;
    unsigned char named[NAMED_WORKERS]; /* workers that have a name in the file */
};

/* ---- text, under out_lock --------------------------------------------------------------------- */

static void write_out(trace *self) {
    size_t done = 0;
    while (done < self->length && self->error == 0) {
        const ssize_t n = write(self->file, self->text + done, self->length - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            self->error = errno;
        }
    }
    self->length = 0;
}

static void put(trace *self, const char *text) {
    const size_t length = strlen(text);
    memcpy(self->text + self->length, text, length);
    self->length += length;
}

static void put_number(trace *self, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(self->text + self->length, digits + at, sizeof digits - at);
    self->length += sizeof digits - at;
}

/* Microseconds with three decimals. */
static void put_time(trace *self, int64_t ns) {
    const uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    const unsigned rest = (unsigned)(value % 1000);
    char decimals[] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                       (char)('0' + rest % 10), '\0'};
    put_number(self, value / 1000);
    put(self, decimals);
}

static void put_string(trace *self, const char *text) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; text[i] != '\0' && i < NAME_MOST; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < ' ' || byte >= 0x7f || byte == '"' || byte == '\\') {
            const char escape[] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15], '\0'};
            put(self, escape);
        } else {
            self->text[self->length++] = text[i];
        }
    }
}

/* {"ph":PHASE,"pid":P,"tid":TRACK,"ts":... without the end. Track 0 is the caller's. */
static void begin(trace *self, const char *phase, int track, int64_t at_ns) {
    put(self, ",\n{\"ph\":\"");
    put(self, phase);
    put(self, "\",\"pid\":");
    put_number(self, (uint64_t)self->process);
    put(self, ",\"tid\":");
    put_number(self, (uint64_t)track);
    put(self, ",\"ts\":");
    put_time(self, at_ns - self->zero_ns);
}

static void put_name(trace *self, const char *name) {
    put(self, ",\"name\":\"");
    put_string(self, name);
    put(self, "\"");
}

static void name_track(trace *self, int track, const char *name, int64_t number, int64_t id) {
    put(self, ",\n{\"ph\":\"M\",\"pid\":");
    put_number(self, (uint64_t)self->process);
    put(self, ",\"tid\":");
    put_number(self, (uint64_t)track);
    put(self, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
    put_string(self, name);
    if (number >= 0) {
        put(self, " ");
        put_number(self, (uint64_t)number);
    }
    if (id > 0) {
        put(self, " (");
        put_number(self, (uint64_t)id);
        put(self, ")");
    }
    put(self, "\"}}");
}

/* ---- events ----------------------------------------------------------------------------------- */

static void put_ending(trace *self, const record *event) {
    static const char *const names[] = {
        [CF_OK] = "ok",
        [CF_ETASK] = "error",
        [CF_EDEADLINE] = "timed out",
        [CF_EWORKER] = "worker died",
        [CF_EBROKEN] = "pool broken",
        [CF_ECANCELLED] = "cancelled",
    };
    put(self, ",\"ending\":\"");
    put(self, names[outcome_of(event)] != NULL ? names[outcome_of(event)] : "?");
    put(self, "\"");
    if (event->reason != 0) {
        put(self, ",\"reason\":\"");
        put_string(self, self->names[event->reason]);
        put(self, "\"");
    } else if (outcome_of(event) == CF_ETASK || outcome_of(event) == CF_EWORKER) {
        put(self, outcome_of(event) == CF_ETASK       ? ",\"error\":"
                  : (event->outcome & BY_SIGNAL) != 0 ? ",\"signal\":"
                                                      : ",\"exit\":");
        put(self, event->detail < 0 ? "-" : "");
        put_number(self, (uint64_t)llabs((long long)event->detail));
    }
}

static void put_task(trace *self, const record *event) {
    put(self, ",\"args\":{\"task\":");
    put_number(self, event->task);
    put(self, ",\"attempt\":");
    put_number(self, event->attempt);
    if (event->kind != ATTEMPT && event->count > 0) {
        put(self, ",\"first\":");
        put_number(self, event->first);
        put(self, ",\"items\":");
        put_number(self, event->count);
    }
    put_ending(self, event);
    put(self, "}");
}

static void put_id(trace *self, const char *key, uint64_t task) {
    put(self, key);
    put_number(self, task);
    put(self, "\"");
}

/* The time in the queue and its arrow: of the first attempt, since others begin behind a retry. */
static void write_wait(trace *self, const record *event, const char *name) {
    begin(self, "X", 0, event->submitted_ns);
    put(self, ",\"dur\":0,\"cat\":\"submit\"");
    put_name(self, name);
    put_id(self, ",\"flow_out\":true,\"bind_id\":\"", event->task);
    put(self, "}");
    begin(self, "b", 0, event->submitted_ns);
    put(self, ",\"cat\":\"wait\"");
    put_name(self, name);
    put_id(self, ",\"id\":\"", event->task);
    put(self, "}");
    begin(self, "e", 0, event->kind == CF_EVENT_DROPPED ? event->at_ns : event->begun_ns);
    put(self, ",\"cat\":\"wait\"");
    put_name(self, name);
    put_id(self, ",\"id\":\"", event->task);
    put(self, "}");
}

static void name_worker(trace *self, const record *event, int64_t id) {
    const bool known = event->worker < NAMED_WORKERS && self->named[event->worker] != 0;
    if (!known || id > 0) {
        name_track(self, event->worker + 1, self->worker, event->worker, id);
        if (event->worker < NAMED_WORKERS) {
            self->named[event->worker] = 1;
        }
    }
}

static void write_run(trace *self, const record *event, const char *name) {
    name_worker(self, event, 0);
    if (event->attempt == 1) {
        write_wait(self, event, name);
    }
    begin(self, "X", event->worker + 1, event->begun_ns);
    put(self, ",\"dur\":");
    put_time(self, event->at_ns - event->begun_ns);
    put(self, ",\"cat\":\"run\"");
    put_name(self, name);
    put_id(self, ",\"flow_in\":true,\"bind_id\":\"", event->task);
    put_task(self, event);
    put(self, "}");
    if (outcome_of(event) == CF_EDEADLINE) {
        begin(self, "i", event->worker + 1, event->at_ns);
        put(self, ",\"s\":\"t\",\"cat\":\"deadline\",\"name\":\"deadline\"");
        put_task(self, event);
        put(self, "}");
    }
}

/* Viewers show that it has not ended. */
static void write_open_run(trace *self, const record *event, const char *name) {
    name_worker(self, event, 0);
    begin(self, "B", event->worker + 1, event->at_ns);
    put(self, ",\"cat\":\"run\"");
    put_name(self, name);
    put(self, ",\"args\":{\"task\":");
    put_number(self, event->task);
    put(self, ",\"attempt\":");
    put_number(self, event->attempt);
    put(self, "}}");
}

static void write_part(trace *self, const record *event, const char *name, int64_t begun_ns,
                       int64_t ended_ns) {
    begin(self, "X", event->worker + 1, begun_ns);
    put(self, ",\"dur\":");
    put_time(self, ended_ns - begun_ns);
    put(self, ",\"cat\":\"part\"");
    put_name(self, name);
    put(self, "}");
}

static void write_attempt(trace *self, const record *event) {
    const int64_t first_ns = (int64_t)event->first;
    write_run(self, event, event->attempt_label);
    if (first_ns > 0) {
        write_part(self, event, "first byte", event->begun_ns, first_ns);
        write_part(self, event, "body", first_ns, event->at_ns);
    }
}

static void write_instant(trace *self, const record *event, int track, const char *what) {
    begin(self, "i", track, event->at_ns);
    put(self, ",\"s\":\"t\",\"cat\":\"");
    put(self, what);
    put(self, "\"");
    put_name(self, what);
}

static void write_life(trace *self, const record *event) {
    const bool begins = event->kind == CF_EVENT_WORKER_STARTED;
    if (begins) {
        name_worker(self, event, (int64_t)event->task);
    }
    write_instant(self, event, event->worker + 1, begins ? "worker started" : "worker gone");
    put(self, ",\"args\":{\"id\":");
    put_number(self, event->task);
    if (!begins) {
        put_ending(self, event);
    }
    put(self, "}}");
}

static void write_counters(trace *self, const record *event) {
    begin(self, "C", 0, event->at_ns);
    put(self, ",\"name\":\"pending tasks\",\"args\":{\"tasks\":");
    put_number(self, event->task);
    put(self, "}}");
    begin(self, "C", 0, event->at_ns);
    put(self, ",\"name\":\"resident memory\",\"args\":{\"bytes\":");
    put_number(self, event->first);
    put(self, "}}");
}

static void write_handed(trace *self, const record *event) {
    write_instant(self, event, 0, "handed out");
    put(self, ",\"args\":{\"item\":");
    put_number(self, event->task);
    put(self, ",\"label\":\"");
    put_string(self, event->label);
    put(self, "\"}}");
}

static void write_record(trace *self, const record *event) {
    const char *name = self->names[event->name];
    if (self->length + EVENT_MOST * EVENTS_MOST > TEXT_BYTES) {
        write_out(self);
    }
    switch (event->kind) {
    case CF_EVENT_ENDED:
        write_run(self, event, name);
        break;
    case CF_EVENT_BEGUN:
        write_open_run(self, event, name);
        break;
    case CF_EVENT_KILLED:
    case CF_EVENT_RETRIED:
        write_instant(self, event, event->worker + 1,
                      event->kind == CF_EVENT_KILLED ? "killed" : "retried");
        put_task(self, event);
        put(self, "}");
        break;
    case CF_EVENT_DROPPED:
        write_wait(self, event, name);
        write_instant(self, event, 0, "dropped");
        put_task(self, event);
        put(self, "}");
        break;
    case CF_EVENT_WORKER_STARTED:
    case CF_EVENT_WORKER_GONE:
        write_life(self, event);
        break;
    case CF_EVENT_LOST:
        write_instant(self, event, 0, "events lost");
        put(self, "}");
        break;
    case ATTEMPT:
        write_attempt(self, event);
        break;
    case HANDED:
        write_handed(self, event);
        break;
    case COUNTERS:
        write_counters(self, event);
        break;
    default:
        break;
    }
}

/* ---- the ring --------------------------------------------------------------------------------- */

static size_t take(trace *self, record *to, size_t most) {
    size_t count = 0;
    pthread_mutex_lock(&self->lock);
    while (count < most && self->tail != self->head) {
        to[count++] = self->ring[self->tail++ % TRACE_RECORDS];
    }
    pthread_mutex_unlock(&self->lock);
    return count;
}

/* False: there is nothing left. */
static bool write_some(trace *self) {
    record records[AT_ONCE];
    pthread_mutex_lock(&self->out_lock);
    const size_t count = take(self, records, AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        write_record(self, &records[i]);
    }
    if (count < AT_ONCE) {
        write_out(self);
    }
    pthread_mutex_unlock(&self->out_lock);
    return count == AT_ONCE;
}

static void wait_a_while(trace *self) {
    const int64_t until_ns = plat_now_ns() + WRITE_EVERY_NS;
    const struct timespec until = {.tv_sec = until_ns / 1000000000,
                                   .tv_nsec = until_ns % 1000000000};
    pthread_mutex_lock(&self->lock);
    if (!self->stops) {
        pthread_cond_timedwait(&self->more, &self->lock, &until);
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
    setpriority(PRIO_PROCESS, (id_t)plat_thread_id(),
                19); /* of this thread; a refusal only costs time */
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

/* Takes what fits. Returns how many. */
static size_t put_in(trace *self, const record *events, size_t count) {
    pthread_mutex_lock(&self->lock);
    const bool first = self->head == 0;
    const size_t room = TRACE_RECORDS - (size_t)(self->head - self->tail);
    const size_t taken = count < room ? count : room;
    for (size_t i = 0; i < taken; i++) {
        self->ring[self->head++ % TRACE_RECORDS] = events[i];
    }
    pthread_mutex_unlock(&self->lock);
    if (first && taken > 0) {
        start_writer(self);
    }
    return taken;
}

static void add(trace *self, const record *events, size_t count) {
    while (count > 0) {
        const size_t taken = put_in(self, events, count);
        if (taken == 0) {
            write_some(self);
        }
        events += taken;
        count -= taken;
    }
}

/* ---- from outside ----------------------------------------------------------------------------- */

static uint8_t number_name(trace *self, const char *name) {
    for (unsigned i = self->names_count; i-- > 0;) {
        if (self->names[i] == name) {
            return (uint8_t)i;
        }
    }
    if (self->names_count == NAMES_MOST) {
        return 0;
    }
    self->names[self->names_count] = name;
    return (uint8_t)self->names_count++;
}

static record record_of(trace *self, const cf_event *event) {
    const bool is_life =
        event->kind == CF_EVENT_WORKER_STARTED || event->kind == CF_EVENT_WORKER_GONE;
    const cf_exception *exception = &event->exception;
    return (record){
        .at_ns = event->at_ns,
        .submitted_ns = event->submitted_ns,
        .begun_ns = event->begun_ns,
        .task = is_life ? (uint64_t)event->id : event->task,
        .first = event->first,
        .count = (uint32_t)event->count,
        .attempt = (uint16_t)event->attempt,
        .worker = (int16_t)event->worker,
        .detail = exception->status == CF_ETASK ? exception->task_error
                  : exception->signal != 0      ? exception->signal
                                                : exception->exit_code,
        .kind = (uint8_t)event->kind,
        .outcome = (uint8_t)(exception->status | (exception->signal != 0 ? BY_SIGNAL : 0)),
        .name = event->name != NULL ? number_name(self, event->name) : 0,
    };
}

void trace_add(trace *self, const cf_event *events, size_t count) {
    record records[64];
    while (count > 0) {
        const size_t some = count < 64 ? count : 64;
        for (size_t i = 0; i < some; i++) {
            records[i] = record_of(self, &events[i]);
        }
        add(self, records, some);
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
    record event = {
        .at_ns = run->ended_ns,
        .submitted_ns = run->submitted_ns,
        .begun_ns = run->begun_ns,
        .first = (uint64_t)run->first_byte_ns,
        .task = run->item,
        .attempt = (uint16_t)run->attempt,
        .worker = (int16_t)run->worker,
        .detail = run->detail,
        .kind = ATTEMPT,
        .outcome = (uint8_t)status_of(run->ending),
        .reason = reason != NULL ? number_name(self, reason) : 0,
    };
    snprintf(event.attempt_label, sizeof event.attempt_label, "%s", label);
    add(self, &event, 1);
}

void trace_handed(trace *self, int64_t at_ns, uint64_t item, const char *label) {
    record event = {.kind = HANDED, .at_ns = at_ns, .task = item};
    snprintf(event.label, sizeof event.label, "%s", label);
    add(self, &event, 1);
}

void trace_count(trace *self, int64_t at_ns, uint64_t pending, uint64_t bytes) {
    add(self, &(record){.kind = COUNTERS, .at_ns = at_ns, .task = pending, .first = bytes}, 1);
}

static void write_head(trace *self, const char *program) {
    put(self, "[\n{\"ph\":\"M\",\"pid\":");
    put_number(self, (uint64_t)self->process);
    put(self, ",\"name\":\"process_name\",\"args\":{\"name\":\"");
    put_string(self, program);
    put(self, "\"}}");
    name_track(self, 0, "submitted", -1, 0);
    write_out(self);
}

trace *trace_open(const char *file, const char *program, const char *worker, int64_t begun_ns) {
    trace *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->out_lock, NULL);
    self->process = (long)getpid();
    self->zero_ns = begun_ns;
    strncpy(self->worker, worker, sizeof self->worker - 1);
    self->names[0] = program;
    self->names_count = 1;
    self->text = malloc(TEXT_BYTES);
    self->ring = malloc(sizeof(record) * TRACE_RECORDS); /* addresses: memory as it is used */
    self->file = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (self->text == NULL || self->ring == NULL || self->file < 0) {
        const int error = self->file < 0 ? errno : ENOMEM;
        trace_close(self);
        errno = error;
        return NULL;
    }
    write_head(self, program);
    return self;
}

static void stop_writer(trace *self) {
    pthread_mutex_lock(&self->lock);
    self->stops = true;
    pthread_cond_signal(&self->more);
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
    if (self->file >= 0 && self->text != NULL && self->ring != NULL) {
        while (write_some(self)) {}
        put(self, "\n]\n");
        write_out(self);
        error = self->error;
    }
    if (self->file >= 0 && close(self->file) != 0 && error == 0) {
        error = errno;
    }
    pthread_mutex_destroy(&self->lock);
    pthread_mutex_destroy(&self->out_lock);
    pthread_cond_destroy(&self->more);
    free(self->text);
    free(self->ring);
    free(self);
    return error;
}
