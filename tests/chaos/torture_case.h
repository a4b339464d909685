/* One case of torture.c, in a process of its own. */
#ifndef TESTS_CHAOS_TORTURE_CASE_H
#define TESTS_CHAOS_TORTURE_CASE_H

#include "torture.h"

/* What stays of a run without failures. */
typedef struct torture_usual {
    failing_leavings fresh, used;
} torture_usual;

typedef struct torture_case {
    const scenario *scenario;
    const torture_executor *on;
    failing_plan plan;
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

/* Runs a case, without others beside it. The report is valid until the next call. */
const torture_report *torture_run_alone(const torture_case *c);

uint64_t torture_cases_run(void);

#endif
