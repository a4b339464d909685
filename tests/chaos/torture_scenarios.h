/* Scenarios of torture_lives.c, and what they use of torture_scenarios.c. */
#ifndef TESTS_CHAOS_TORTURE_SCENARIOS_H
#define TESTS_CHAOS_TORTURE_SCENARIOS_H

#include "torture.h"

/* deaths: of one item in sixteen. */
void map_items(stage *s, uint32_t deaths, const cf_map_options *options);
void stream_items(stage *s, uint32_t deaths, const cf_stream_options *options);

void callbacks(stage *s);
void deadlines(stage *s);
void room(stage *s);
void room_refused(stage *s);
void cancel(stage *s);
void about(stage *s);
void initializer(stage *s);
void failing_initializer(stage *s);
void retiring(stage *s);
void shutdown_waits(stage *s);
void shutdown_cancels(stage *s);
void terminate(stage *s);
void kill_workers(stage *s);
void nested_wait(stage *s);
void pool_in_task(stage *s);
void thread_ends(stage *s);
void retries(stage *s);
void no_retries(stage *s);
void map_with_deaths(stage *s);
void stream_with_deaths(stage *s);

#endif
