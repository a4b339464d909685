/* Calls of the system and of malloc fail, one after the other, while executors are used. The library's
 * calls must return an error as the header says, or do what was asked; nothing may crash, hang, be lost,
 * come twice or leak.
 *
 *     chaos_torture              a sample of all cases, by the seed
 *     chaos_torture SECONDS      all cases, and again with other errors, until the time is over
 *     CF_TORTURE=CASE chaos_torture      one case, CF_TEST_MULT times; or all whose names begin so
 *
 * A case is a scenario (torture_scenarios.c) on an executor, with a kind of call (failing.h) that fails
 * in one place: the k-th time only ("once"), or from the k-th time on ("all"). The name of a case says
 * all of that, and the error:
 *
 *     map/process_pool/malloc/caller/7/once/ENOMEM/fresh/2
 *
 * "fresh" cases are the first to use the library in their process, and use it again without failures
 * afterwards; "used" ones have done so before. The last number is that of the workers. Each case has a
 * process of its own (torture_case.c). SECONDS: for each scenario, kind, place and mode k grows until the
 * scenario ends without having come to the k-th call. */
#include "torture_case.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif

enum {
    K_MAX = 400,         /* timing alone decides how often some calls are made */
    SAMPLE = 200,        /* cases of the reduced form */
    SLOW_SAMPLE = 4,     /* of these, such as take seconds */
    LEARNED = 256,       /* of scenario and executor */
    COMBINATIONS = 6000, /* of these, kind, place and mode */
};

static const torture_executor executors[] = {
    {"serial", ON_SERIAL, cf_serial_create},
    {"thread_pool", ON_THREADS, cf_thread_pool_create},
    {"process_pool", ON_PROCESSES, cf_process_pool_create},
#ifdef PRIMEPOOL_HAVE_OPENMP
    {"openmp", ON_OPENMP, cf_openmp_create},
#endif
};

/* ---- errors ---------------------------------------------------------------------------------- */

/* What the system says when it refuses the call. `once` is not for "all": no system says it forever, and
 * the library makes the call again. A system that refuses to wait for a process refuses it always. */
typedef struct kind_errors {
    int always[4];
    int once;
    bool once_only; /* of the mode "once" */
} kind_errors;

static const kind_errors errors_of[FAIL_KIND_COUNT] = {
    [FAIL_MALLOC] = {.always = {ENOMEM}},
    [FAIL_MMAP] = {.always = {ENOMEM, EAGAIN, EPERM}},
    [FAIL_MPROTECT] = {.always = {ENOMEM, EACCES}},
    [FAIL_MADVISE] = {.always = {EINVAL, ENOMEM, EAGAIN}},
    [FAIL_MEMFD_CREATE] = {.always = {EMFILE, ENFILE, ENOSYS, EPERM}},
    [FAIL_FTRUNCATE] = {.always = {EINVAL, EPERM, EFBIG}},
    [FAIL_FALLOCATE] = {.always = {ENOSPC, EPERM, EOPNOTSUPP}, .once = EINTR},
    [FAIL_EVENTFD] = {.always = {EMFILE, ENFILE, ENOMEM}},
    [FAIL_FORK] = {.always = {EAGAIN, ENOMEM, EPERM}},
    [FAIL_PTHREAD_CREATE] = {.always = {EAGAIN, EPERM}},
    [FAIL_FCNTL] = {.always = {EMFILE, EINVAL}},
    [FAIL_POLL] = {.always = {EINTR, EINVAL, ENOMEM}},
    [FAIL_MEMBARRIER] = {.always = {ENOSYS, EPERM, EINVAL}, .once = ENOMEM},
    [FAIL_PIDFD_OPEN] = {.always = {ENOSYS, EMFILE, EPERM, ENOMEM}},
    [FAIL_WAITID] = {.always = {EPERM, ENOSYS}, .once = EINTR, .once_only = true},
};

static int choose_error(enum failing_kind kind, bool all, uint64_t number) {
    const kind_errors *e = &errors_of[kind];
    size_t count = 0;
    while (count < COUNT_OF(e->always) && e->always[count] != 0) {
        count++;
    }
    if (!all && e->once != 0 && (e->once_only || number % (count + 1) == count)) {
        return e->once;
    }
    return e->always[number % count];
}

/* ---- what there is to do --------------------------------------------------------------------- */

/* A scenario on an executor, with one kind of call that fails in one place and one mode. */
typedef struct combination {
    torture_case like;
    uint32_t calls; /* that a run without failures makes */
    uint32_t next;  /* the next k */
    bool over;      /* a run did not come to its k-th call */
} combination;

static combination combinations[COMBINATIONS];
static size_t combination_count;

static const char *only = ""; /* CF_TORTURE: what the names of cases begin with */

/* As far as both go. */
static bool is_wanted(const char *name) {
    size_t length = strlen(name) < strlen(only) ? strlen(name) : strlen(only);
    return strncmp(name, only, length) == 0;
}

static void add_combination(const torture_case *like, enum failing_kind kind,
                            enum failing_place place, bool all) {
    char name[128];
    const uint32_t calls = like->usual->calls[kind][place];
    snprintf(name, sizeof name, "%s/%s/%s/%s/", like->scenario->name, like->on->name,
             failing_kind_names[kind], failing_place_names[place]);
    if (calls == 0 || !is_wanted(name)) {
        return;
    }
    if (combination_count == COMBINATIONS) {
        fprintf(stderr, "torture: COMBINATIONS is too small\n");
        abort();
    }
    combination *made = &combinations[combination_count++];
    *made = (combination){.like = *like, .calls = calls < K_MAX ? calls : K_MAX};
    made->like.plan = (failing_plan){.kind = kind, .place = place, .all = all};
}

static void add_combinations(const torture_case *like) {
    for (int kind = 0; kind < FAIL_KIND_COUNT; kind++) {
        for (int place = 0; place < FAILING_PLACE_COUNT; place++) {
            for (int all = 0; all < 2; all++) {
                add_combination(like, (enum failing_kind)kind, (enum failing_place)place, all != 0);
            }
        }
    }
}

/* Of each scenario and executor, as they are without failures. */
static torture_case learned[LEARNED];
static size_t learned_count;

static void learn_of(const torture_case *c) {
    char name[128];
    snprintf(name, sizeof name, "%s/%s/", c->scenario->name, c->on->name);
    if ((c->scenario->on & c->on->bit) == 0 || !is_wanted(name)) {
        return;
    }
    if (learned_count == LEARNED) {
        fprintf(stderr, "torture: LEARNED is too small\n");
        abort();
    }
    torture_case *made = &learned[learned_count++];
    *made = *c;
    made->usual = calloc(1, sizeof *made->usual);
    for (int fresh = 0; fresh < 2; fresh++) {
        made->fresh = fresh != 0;
        torture_start(made, NULL);
    }
}

static void learn(void) {
    for (size_t i = 0; i < torture_scenario_count; i++) {
        for (size_t j = 0; j < COUNT_OF(executors); j++) {
            learn_of(&(torture_case){
                .scenario = &torture_scenarios[i], .on = &executors[j], .workers = 2});
        }
    }
    torture_finish();
    for (size_t i = 0; i < learned_count; i++) {
        add_combinations(&learned[i]);
    }
}

/* k may be any number. The rest follows from it and from the pass, so that two passes have each k in both
 * variants. */
static torture_case case_of(const combination *from, uint32_t k, uint64_t pass) {
    torture_case c = from->like;
    c.plan.first = k;
    c.plan.error = choose_error(c.plan.kind, c.plan.all, k + pass / 2);
    c.fresh = (k + pass + c.plan.all) % 2 == 0;
    c.workers = 1 + (unsigned)((pass / 2 + 1) % 3);
    return c;
}

/* ---- the reduced form ------------------------------------------------------------------------ */

/* The pool breaks after two seconds without workers. */
static bool is_slow(const torture_case *c) {
    return c->plan.all && (c->plan.kind == FAIL_FORK || c->plan.kind == FAIL_PTHREAD_CREATE ||
                           c->plan.kind == FAIL_WAITID || c->plan.kind == FAIL_POLL);
}

static int slow_first(const void *a, const void *b) {
    return is_slow(b) - is_slow(a);
}

static void run_sample(void) {
    const size_t wanted = scaled(SAMPLE), slow_wanted = scaled(SLOW_SAMPLE);
    uint64_t seed = chaos_seed;
    size_t count = 0, slow = 0;
    torture_case *sample = calloc(wanted, sizeof *sample);
    for (size_t tries = 0; count < wanted && tries < 20 * wanted; tries++) {
        const combination *from = &combinations[random_next(&seed) % combination_count];
        const uint32_t ks[] = {1, from->calls, 1 + (uint32_t)(random_next(&seed) % from->calls)};
        torture_case c = case_of(from, ks[random_next(&seed) % 3], random_next(&seed) % 12);
        if (!is_slow(&c) || slow++ < slow_wanted) {
            sample[count++] = c;
        }
    }
    qsort(sample, count, sizeof *sample, slow_first);
    for (size_t i = 0; i < count; i++) {
        torture_start(&sample[i], NULL);
    }
    torture_finish();
    free(sample);
}

/* ---- the long form --------------------------------------------------------------------------- */

static bool run_round(uint64_t pass, int64_t until_ns) {
    bool any = false;
    for (size_t i = 0; i < combination_count && now_ns() < until_ns; i++) {
        combination *from = &combinations[i];
        if (!from->over && from->next <= K_MAX) {
            torture_case c = case_of(from, from->next++, pass);
            torture_start(&c, &from->over);
            any = true;
        }
    }
    return any;
}

static void run_pass(uint64_t pass, int64_t until_ns) {
    for (size_t i = 0; i < combination_count; i++) {
        combinations[i].next = 1;
        combinations[i].over = false;
    }
    while (run_round(pass, until_ns)) {}
    torture_finish();
    printf("torture: %" PRIu64 " cases so far%s\n", torture_cases_run(),
           now_ns() < until_ns ? ", all k" : "");
}

static void run_all(int64_t until_ns) {
    for (uint64_t pass = chaos_seed % 12; now_ns() < until_ns; pass++) {
        run_pass(pass, until_ns);
    }
}

/* ---- one case -------------------------------------------------------------------------------- */

static bool read_case(const char *name, torture_case *c) {
    char scenario_name[32], on[32], kind[32], place[32], mode[8], error[32], variant[8];
    torture_case found = {0};
    if (sscanf(name, "%31[^/]/%31[^/]/%31[^/]/%31[^/]/%" SCNu32 "/%7[^/]/%31[^/]/%7[^/]/%u",
               scenario_name, on, kind, place, &found.plan.first, mode, error, variant,
               &found.workers) != 9) {
        return false;
    }
    for (size_t i = 0; i < combination_count; i++) {
        torture_case like = combinations[i].like;
        if (strcmp(like.scenario->name, scenario_name) == 0 && strcmp(like.on->name, on) == 0 &&
            strcmp(failing_kind_names[like.plan.kind], kind) == 0 &&
            strcmp(failing_place_names[like.plan.place], place) == 0 &&
            like.plan.all == (strcmp(mode, "all") == 0)) {
            like.plan.first = found.plan.first;
            like.workers = found.workers;
            like.fresh = strcmp(variant, "fresh") == 0;
            for (like.plan.error = 1; like.plan.error < 200; like.plan.error++) {
                const char *known = strerrorname_np(like.plan.error);
                if (known != NULL && strcmp(known, error) == 0) {
                    *c = like;
                    return true;
                }
            }
        }
    }
    return false;
}

/* In both variants if they are many. */
static int run_only(void) {
    torture_case c;
    if (read_case(only, &c)) {
        for (size_t i = 0; i < scaled(1); i++) {
            torture_start(&c, NULL);
        }
        torture_finish();
    } else if (combination_count > 0) {
        run_pass(0, INT64_MAX);
        run_pass(1, INT64_MAX);
    } else {
        fprintf(stderr, "torture: no case has a name that begins with %s\n", only);
        return 2;
    }
    return tally_end();
}

int main(int argc, char **argv) {
    const int64_t begun_ns = now_ns();
    int64_t seconds = tally_begin("torture", argc, argv);
    only = getenv("CF_TORTURE") != NULL ? getenv("CF_TORTURE") : "";
    torture_prepare();
    learn();
    if (*only != '\0') {
        return run_only();
    }
    if (seconds > 0) {
        run_all(begun_ns + seconds * SECOND);
    } else {
        run_sample();
    }
    printf("torture: %zu combinations, %" PRIu64 " cases\n", combination_count,
           torture_cases_run());
    return tally_end();
}
