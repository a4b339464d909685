/* One case of torture.c, in a process of its own. */
#ifndef TESTS_CHAOS_TORTURE_CASE_H
#define TESTS_CHAOS_TORTURE_CASE_H

#include "torture.h"

/* Of runs without failures: what stays of them, and the calls that they make. */
typedef struct torture_usual {
    failing_leavings fresh, used;
    uint32_t calls[FAIL_KIND_COUNT][FAILING_PLACE_COUNT];
} torture_usual;

typedef struct torture_case {
    const scenario *scenario;
    const torture_executor *on;
    failing_plan plan; /* first = 0: *usual is filled in */
    unsigned workers;
    bool fresh; /* the process has not used the library before */
    torture_usual *usual;
} torture_case;

/* Once, before all others. */
void torture_prepare(void);

/* Starts a case when there is room for one more. *over becomes true if the call that was to fail was not
 * made; `over` may be NULL. */
void torture_start(const torture_case *c, bool *over);
void torture_finish(void); /* waits for all */

uint64_t torture_cases_run(void);

#endif
