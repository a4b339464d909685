/* explorer [--bound N] [--runs N] [--seconds N] [--lines N] [--must-fail 1] [--give-up 0]
 *          [--planted NAME] [--repeat LIST] [SCENARIO...]
 *
 * Explores every scenario, or those that are named, and prints a line for each. Exits with 0 when
 * all went well, 1 when one failed, 2 when it was not called well.
 *
 *     --bound N      pre-emptions; as the scenario says if not given
 *     --runs N       at most so many for each scenario, which is then said to be cut short
 *     --seconds N    at most so long for each scenario, which is then said to be out of time
 *     --lines N      of the trace of a failure
 *     --must-fail 1  exits with 0 when each scenario failed, as one with a planted bug must, and
 *                    checks that what is given up would not have shown it sooner
 *     --planted NAME brings this bug to life, of those that all lie in one copy (explorer.cmake)
 *     --give-up 0    makes all runs, also those that are known to end as one before
 *     --repeat LIST  only the run with these choices, with its trace */
#include "engine.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum run_end {
    RUN_WELL,
    RUN_ABANDONED,
    RUN_FAILED,
} run_end;

static jmp_buf run_ends;
static char failure[512];

/* ---- what is printed ------------------------------------------------------------------------- */

enum {
    TRACE_LINES = 4096, /* the last of them */
    TRACE_WIDTH = 160
};

bool tracing;
static char trace_lines[TRACE_LINES][TRACE_WIDTH];
static unsigned traced;

void trace(const char *format, ...) {
    if (tracing) {
        va_list arguments;
        va_start(arguments, format);
        char *line = trace_lines[traced++ % TRACE_LINES];
        int begun = snprintf(line, TRACE_WIDTH, "%5" PRIu32 " ", search_questions);
        vsnprintf(line + begun, TRACE_WIDTH - (size_t)begun, format, arguments);
        va_end(arguments);
    }
}

static void print_trace(unsigned lines) {
    lines = lines < TRACE_LINES ? lines : TRACE_LINES;
    for (unsigned i = traced > lines ? traced - lines : 0; i < traced; i++) {
        printf("    %s\n", trace_lines[i % TRACE_LINES]);
    }
}

/* ---- one run --------------------------------------------------------------------------------- */

void run_abandon(void) {
    _longjmp(run_ends, RUN_ABANDONED);
}

void run_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    _longjmp(run_ends, RUN_FAILED);
}

void sim_fail(const char *file, int line, const char *condition) {
    run_fail("%s:%d: not true: %s", file, line, condition);
}

/* The core itself may fall over a bug. */
static void crash(int signal) {
    run_fail("signal %d in %s", signal, current != NULL ? current->where : "set_up or check");
}

static void catch_crashes(void) {
    static char stack[64 << 10];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_handler = crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}

static run_end run_once(const scenario *s) {
    int end = _setjmp(run_ends);
    if (end == 0) {
        heap_begin_run();
        memory_begin_run();
        search_begin_run();
        threads_begin_run(s->deaths, s->lazy_clock);
        memory_fences = s->fences;
        s->set_up();
        threads_run();
        s->check();
    }
    counts.runs++;
    counts.pruned += end == RUN_ABANDONED;
    return (run_end)end;
}

/* ---- a scenario ------------------------------------------------------------------------------ */

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef struct options {
    int bound;      /* -1: what the scenario says */
    uint64_t runs;  /* limit for each scenario; 0 = none */
    double seconds; /* at most so many for each scenario; 0 = any number */
    const char *repeat;
    unsigned lines;
    bool must_fail;
} options;

static void print_failure(const scenario *s, const char *list, const options *o) {
    char was[sizeof failure];
    memcpy(was, failure, sizeof was);
    search_repeat(list);
    tracing = true;
    run_end end = run_once(s);
    tracing = false;
    printf("%s: FAILED: %s\n", s->name, was);
    print_trace(o->lines);
    printf("  again: explorer --repeat %s %s\n", *list != '\0' ? list : "-", s->name);
    if (end != RUN_FAILED || strcmp(was, failure) != 0) {
        printf("  (which does not fail in the same way: %s)\n",
               end == RUN_FAILED ? failure : "it does not fail");
    }
}

typedef enum outcome {
    ALL_EXPLORED,
    OUT_OF_TIME,
    CUT_SHORT,
    FOUND_FAILURE,
} outcome;

/* All runs within the bound. */
static outcome explore_bound(const scenario *s, unsigned bound, double until, const options *o) {
    search_begin(bound);
    do {
        memory_sharing_grew = false;
        if (run_once(s) == RUN_FAILED) {
            char *list = strdup(search_list());
            print_failure(s, list, o);
            free(list);
            return FOUND_FAILURE;
        }
        if (memory_sharing_grew) {
            counts.restarts++;
            search_begin(bound);
            continue;
        }
        if (counts.runs % 1024 == 0 && until > 0 && seconds() > until) {
            return OUT_OF_TIME;
        }
        if (o->runs > 0 && counts.runs >= o->runs) {
            return CUT_SHORT;
        }
    } while (memory_sharing_grew || search_next());
    return ALL_EXPLORED;
}

static unsigned search_bound_reached; /* the last that explore went to */

static outcome explore(const scenario *s, const options *o) {
    static const char *const ends[] = {"all", "out of time", "cut short", "FAILED"};
    double begin = seconds();
    unsigned bound = o->bound >= 0 ? (unsigned)o->bound : s->bound;
    outcome out = ALL_EXPLORED;
    counts = (sim_counts){0};
    memory_forget();
    for (unsigned b = 0; b <= bound && out == ALL_EXPLORED; b++) {
        search_bound_reached = b;
        out = explore_bound(s, b, o->seconds > 0 ? begin + o->seconds : 0, o);
    }
    printf("%-28s %5u %10" PRIu64 " %10" PRIu64 " %12" PRIu64 " %8.1f  %s\n", s->name, bound,
           counts.runs, counts.pruned, counts.steps, seconds() - begin, ends[out]);
    fflush(stdout);
    return out;
}

/* A planted bug must be found, and no sooner by making those runs too that are given up else. */
static bool finds_bug(const scenario *s, const options *o) {
    enum {
        MOST_SECONDS = 10 /* it is as good as found later, by then */
    };
    options in_time = *o;
    in_time.seconds = MOST_SECONDS;
    if (explore(s, o) != FOUND_FAILURE) {
        return false;
    }
    unsigned bound = search_bound_reached;
    search_gives_up = false;
    outcome out = explore(s, &in_time);
    search_gives_up = true;
    if (out == ALL_EXPLORED || (out == FOUND_FAILURE && search_bound_reached < bound)) {
        printf("%s: FAULT OF THE EXPLORER: what it gives up is not the same as before\n", s->name);
        return false;
    }
    return true;
}

static int repeat(const scenario *s, const options *o) {
    search_repeat(strcmp(o->repeat, "-") == 0 ? "" : o->repeat);
    tracing = true;
    run_end end = run_once(s);
    print_trace(o->lines);
    printf("%s: %s\n", s->name, end == RUN_FAILED ? failure : "nothing wrong");
    return end == RUN_FAILED;
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool is_named(const scenario *s, char **names, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], s->name) == 0) {
            return true;
        }
    }
    return count == 0;
}

const char *explorer_planted = "";

static int take_options(int argc, char **argv, options *o) {
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--bound") == 0) {
            o->bound = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--runs") == 0) {
            o->runs = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            o->seconds = atof(argv[i + 1]);
        } else if (strcmp(argv[i], "--lines") == 0) {
            o->lines = (unsigned)atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--must-fail") == 0) {
            o->must_fail = atoi(argv[i + 1]) != 0;
        } else if (strcmp(argv[i], "--give-up") == 0) {
            search_gives_up = atoi(argv[i + 1]) != 0;
        } else if (strcmp(argv[i], "--planted") == 0) {
            explorer_planted = argv[i + 1];
        } else if (strcmp(argv[i], "--repeat") == 0) {
            o->repeat = argv[i + 1];
        } else {
            return -1;
        }
    }
    return i < argc && argv[i][0] == '-' ? -1 : i;
}

int main(int argc, char **argv) {
    options o = {.bound = -1, .lines = 80};
    int first = take_options(argc, argv, &o);
    if (first < 0) {
        fprintf(stderr,
                "usage: explorer [--bound N] [--runs N] [--seconds N] [--lines N] [--must-fail 1] "
                "[--give-up 0] [--planted NAME] [--repeat LIST] [SCENARIO...]\n");
        return 2;
    }
    threads_make();
    catch_crashes();
    unsigned found = 0, failed = 0;
    if (o.repeat == NULL) {
        printf("%-28s %5s %10s %10s %12s %8s\n", "scenario", "bound", "runs", "given up", "steps",
               "seconds");
    }
    for (unsigned i = 0; i < scenario_count; i++) {
        const scenario *s = scenarios[i];
        if (is_named(s, argv + first, argc - first)) {
            found++;
            failed += o.repeat != NULL ? repeat(s, &o) != 0
                      : o.must_fail    ? finds_bug(s, &o)
                                       : explore(s, &o) == FOUND_FAILURE;
        }
    }
    if (found == 0) {
        fprintf(stderr, "explorer: there is no such scenario\n");
        return 2;
    }
    return o.must_fail ? failed < found : failed > 0;
}
