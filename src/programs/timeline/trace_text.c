#include "programs/timeline/trace_text.h"

#include <stdlib.h>
#include <string.h>

static void put(trace_text *self, const char *text) {
    const size_t length = strlen(text);
    memcpy(self->text + self->length, text, length);
    self->length += length;
}

static void put_number(trace_text *self, uint64_t value) {
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
static void put_time(trace_text *self, int64_t ns) {
    const uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    const unsigned rest = (unsigned)(value % 1000);
    char decimals[] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                       (char)('0' + rest % 10), '\0'};
    put_number(self, value / 1000);
    put(self, decimals);
}

static void put_string(trace_text *self, const char *text) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; text[i] != '\0' && i < TRACE_NAME_MOST; i++) {
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
static void begin(trace_text *self, const char *phase, int track, int64_t at_ns) {
    put(self, ",\n{\"ph\":\"");
    put(self, phase);
    put(self, "\",\"pid\":");
    put_number(self, (uint64_t)self->process);
    put(self, ",\"tid\":");
    put_number(self, (uint64_t)track);
    put(self, ",\"ts\":");
    put_time(self, at_ns - self->zero_ns);
}

static void put_name(trace_text *self, const char *name) {
    put(self, ",\"name\":\"");
    put_string(self, name);
    put(self, "\"");
}

static void name_track(trace_text *self, int track, const char *name, int64_t number, int64_t id) {
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

static cf_status outcome_of(const trace_record *event) {
    return (cf_status)(event->outcome & ~TRACE_BY_SIGNAL);
}

/* ---- events ----------------------------------------------------------------------------------- */

static void put_ending(trace_text *self, const trace_record *event) {
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
        put(self, outcome_of(event) == CF_ETASK             ? ",\"error\":"
                  : (event->outcome & TRACE_BY_SIGNAL) != 0 ? ",\"signal\":"
                                                            : ",\"exit\":");
        put(self, event->detail < 0 ? "-" : "");
        put_number(self, (uint64_t)llabs((long long)event->detail));
    }
}

static void put_task(trace_text *self, const trace_record *event) {
    put(self, ",\"args\":{\"task\":");
    put_number(self, event->task);
    put(self, ",\"attempt\":");
    put_number(self, event->attempt);
    if (event->kind != TRACE_ATTEMPT && event->count > 0) {
        put(self, ",\"first\":");
        put_number(self, event->first);
        put(self, ",\"items\":");
        put_number(self, event->count);
    }
    put_ending(self, event);
    put(self, "}");
}

static void put_id(trace_text *self, const char *key, uint64_t task) {
    put(self, key);
    put_number(self, task);
    put(self, "\"");
}

/* The time in the queue and its arrow: of the first attempt, since others begin behind a retry. */
static void write_wait(trace_text *self, const trace_record *event, const char *name) {
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

static void name_worker(trace_text *self, const trace_record *event, int64_t id) {
    const bool known = event->worker < (int)sizeof self->named && self->named[event->worker] != 0;
    if (!known || id > 0) {
        name_track(self, event->worker + 1, self->worker, event->worker, id);
        if (event->worker < (int)sizeof self->named) {
            self->named[event->worker] = 1;
        }
    }
}

static void write_run(trace_text *self, const trace_record *event, const char *name) {
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
static void write_open_run(trace_text *self, const trace_record *event, const char *name) {
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

static void write_part(trace_text *self, const trace_record *event, const char *name,
                       int64_t begun_ns, int64_t ended_ns) {
    begin(self, "X", event->worker + 1, begun_ns);
    put(self, ",\"dur\":");
    put_time(self, ended_ns - begun_ns);
    put(self, ",\"cat\":\"part\"");
    put_name(self, name);
    put(self, "}");
}

static void write_attempt(trace_text *self, const trace_record *event) {
    const int64_t first_ns = (int64_t)event->first;
    write_run(self, event, event->attempt_label);
    if (first_ns > 0) {
        write_part(self, event, "first byte", event->begun_ns, first_ns);
        write_part(self, event, "body", first_ns, event->at_ns);
    }
}

static void write_instant(trace_text *self, const trace_record *event, int track,
                          const char *what) {
    begin(self, "i", track, event->at_ns);
    put(self, ",\"s\":\"t\",\"cat\":\"");
    put(self, what);
    put(self, "\"");
    put_name(self, what);
}

static void write_life(trace_text *self, const trace_record *event) {
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

static void write_counters(trace_text *self, const trace_record *event) {
    begin(self, "C", 0, event->at_ns);
    put(self, ",\"name\":\"pending tasks\",\"args\":{\"tasks\":");
    put_number(self, event->task);
    put(self, "}}");
    begin(self, "C", 0, event->at_ns);
    put(self, ",\"name\":\"resident memory\",\"args\":{\"bytes\":");
    put_number(self, event->first);
    put(self, "}}");
}

static void write_handed(trace_text *self, const trace_record *event) {
    write_instant(self, event, 0, "handed out");
    put(self, ",\"args\":{\"item\":");
    put_number(self, event->task);
    put(self, ",\"label\":\"");
    put_string(self, event->label);
    put(self, "\"}}");
}

void trace_text_record(trace_text *self, const trace_record *event) {
    const char *name = self->names[event->name];
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
    case TRACE_ATTEMPT:
        write_attempt(self, event);
        break;
    case TRACE_HANDED:
        write_handed(self, event);
        break;
    case TRACE_COUNTERS:
        write_counters(self, event);
        break;
    default:
        break;
    }
}

void trace_text_head(trace_text *self, const char *program) {
    put(self, "[\n{\"ph\":\"M\",\"pid\":");
    put_number(self, (uint64_t)self->process);
    put(self, ",\"name\":\"process_name\",\"args\":{\"name\":\"");
    put_string(self, program);
    put(self, "\"}}");
    name_track(self, 0, "submitted", -1, 0);
}

void trace_text_end(trace_text *self) {
    put(self, "\n]\n");
}
