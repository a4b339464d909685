/* One event of a trace, as it is kept until it is written (trace.h). */
#ifndef PROGRAMS_TRACE_RECORD_H
#define PROGRAMS_TRACE_RECORD_H

#include "programs/timeline/trace.h"

typedef struct trace_record {
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
    uint8_t kind;    /* a cf_event_kind, or one of those below */
    uint8_t outcome; /* and TRACE_BY_SIGNAL */
    uint8_t name;
    uint8_t reason; /* of attempts: one of the names; 0 = none */
} trace_record;

#define TRACE_BY_SIGNAL 0x80u /* `detail` is a signal, not an exit code */

/* Kinds that no executor has. */
enum {
    TRACE_COUNTERS = 255,
    TRACE_HANDED = 254,
    TRACE_ATTEMPT = 253,
};

_Static_assert(sizeof(trace_record) <= TRACE_RECORD_BYTES, "as the header says");
_Static_assert(CF_WORKERS_MAX <= INT16_MAX && CF_RETRIES_MAX < UINT16_MAX, "they fit");

#endif
