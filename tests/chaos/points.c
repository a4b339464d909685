/* Crash-point sweep: at every fault point of a process pool, a worker, the nursery or the program itself is
 * killed. Every task has one end, which serial would have given it or which the death explains; nothing
 * hangs and nothing stays.
 *
 * A run is a host process that makes a pool, does what its scenario says, and destroys the pool. First each
 * scenario runs undisturbed, with 1, 2 and 4 workers: so the program knows which scenario passes which point
 * how often. Then it chooses a point, a victim, a scenario that passes the point, and at which visit the
 * victim dies. The program fails if there is a point at which it could kill nobody. */
#include "points_scenarios.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    POINTS_MOST = 128,
    SCENARIOS_MOST = 32,
    HANG_S = 10,
    RETRIES = 3,
    FAULTS_MOST = 3,
    TRIES = 3,         /* runs to reach a point at first */
    INSIST_TRIES = 200 /* and for one at which nobody was killed in the end */
};

static const unsigned workers_of_size[] = {1, 2, 4};
enum {
    SIZES = 3
};

static const char *const victim_names[] = {"", "worker", "nursery", "caller"};

typedef struct run {
    const scenario *scenario;
    unsigned workers;
    unsigned retries;
    victim victim;
    unsigned point;
    uint64_t visit;
} run;

/* What the host of the latest run tells. */
typedef struct report {
    uint64_t visits[POINTS_MOST];
    uint64_t done;
} report;
static report *told;

static unsigned points;                                      /* 1 to points */
static uint64_t visited[SCENARIOS_MOST][SIZES][POINTS_MOST]; /* in undisturbed runs */
static uint64_t reached[POINTS_MOST][sizeof victim_names / sizeof *victim_names];

/* ---- one run --------------------------------------------------------------------------------- */

static void describe(const run *r, char *text, size_t size) {
    if (r->victim == NOBODY) {
        snprintf(text, size, "%s, %u workers", r->scenario->name, r->workers);
    } else {
        snprintf(text, size, "%s, %u workers, %u retries, kill:%s@point=%s,visit=%" PRIu64,
                 r->scenario->name, r->workers, r->retries, victim_names[r->victim],
                 cf_fault_point_name(r->point), r->visit);
    }
}

static void set_rules(const run *r) {
    char rules[256] = "";
    if (r->victim != NOBODY) {
        snprintf(rules, sizeof rules, "kill:%s@point=%u,visit=%" PRIu64 ";",
                 victim_names[r->victim], r->point, r->visit);
    }
    if (r->scenario->rule != NULL) {
        strcat(rules, r->scenario->rule);
    }
    setenv("CF_FAULT", rules, 1);
}

static int be_host(void *context) {
    const run *r = context;
    const rlim_t none = 0;
    cf_pool_options options = {.max_workers = r->workers};
    world w = {.workers = r->workers,
               .retries = r->retries,
               .victim = r->victim,
               .breaks = r->victim == THE_NURSERY || r->scenario->breaks};
    alarm(HANG_S);
    setrlimit(RLIMIT_CORE, &(struct rlimit){none, none});
    describe(r, w.what, sizeof w.what);
    set_rules(r);
    cf_executor *warm_up; /* what a process makes once belongs to it from here on */
    if (cf_serial_create(NULL, &warm_up) != CF_OK) {
        tally_fault(&chaos->lost, "%s: CF_FAULT is refused", w.what);
        return 1;
    }
    cf_executor_destroy(warm_up);
    belongings before = belongings_now();
    if (r->scenario->options != NULL) {
        r->scenario->options(&options);
    }
    cf_status status = cf_process_pool_create(&options, &w.executor);
    if (status == CF_OK) {
        r->scenario->run(&w);
        if (!r->scenario->shuts_down) {
            run_some(&w);
        }
        cf_executor_destroy(w.executor);
    } else {
        tally_fault(&chaos->lost, "%s: create: %s", w.what, cf_status_name(status));
    }
    for (unsigned i = 1; i <= points; i++) {
        told->visits[i] = cf_fault_point_visits(i);
    }
    told->done = cf_faults_done() - r->scenario->breaks;
    belongings_check(&before, w.what);
    return 0;
}

/* The hosts' orphans become children of this process. */
static void await_orphans(const char *what) {
    const int64_t until_ns = now_ns() + 3 * SECOND;
    while (waitpid(-1, NULL, WNOHANG) >= 0) {
        if (now_ns() > until_ns) {
            tally_fault(&chaos->leaked, "%s: processes are left", what);
            return;
        }
        usleep(100);
    }
}

/* True if the victim was killed. */
static bool run_host(const run *r) {
    char what[120];
    memset(told, 0, sizeof *told);
    memset(shared_notes->begun, 0, sizeof shared_notes->begun);
    memset(shared_notes->ended, 0, sizeof shared_notes->ended);
    describe(r, what, sizeof what);
    int status = host_run(be_host, (void *)r);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && r->victim == THE_CALLER) {
        told->done = 1;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        tally_fault(&chaos->hung, "%s: hangs", what);
    } else if (WIFSIGNALED(status)) {
        tally_fault(&chaos->lost, "%s: the host dies of signal %d", what, WTERMSIG(status));
    }
    await_orphans(what);
    if (r->victim != NOBODY && told->done > 0) {
        tally_add(&chaos->kills, 1);
        reached[r->point][r->victim]++;
        return true;
    }
    return false;
}

/* ---- the sweep ------------------------------------------------------------------------------- */

/* Not after a hang or a few faults: each takes seconds. */
static bool goes_on(void) {
    return chaos->hung == 0 && chaos->lost + chaos->duplicated + chaos->leaked < FAULTS_MOST;
}

static void survey(void) {
    for (size_t s = 0; s < scenario_count && goes_on(); s++) {
        for (size_t size = 0; size < SIZES && goes_on(); size++) {
            run_host(&(run){&scenarios[s], workers_of_size[size], RETRIES, NOBODY, 0, 0});
            memcpy(visited[s][size], told->visits, sizeof told->visits);
        }
    }
}

static uint64_t state; /* of the random numbers */

/* One of the runs with so many workers that pass the point. False: none does. */
static bool choose(run *r, size_t size) {
    size_t found[SCENARIOS_MOST], count = 0;
    for (size_t s = 0; s < scenario_count; s++) {
        if (visited[s][size][r->point] > 0) {
            found[count++] = s;
        }
    }
    if (count == 0) {
        return false;
    }
    size_t s = found[random_next(&state) % count];
    r->scenario = &scenarios[s];
    r->workers = workers_of_size[size];
    r->visit = 1 + random_next(&state) % visited[s][size][r->point];
    return true;
}

static void kill_at(unsigned point, victim v, size_t size, unsigned retries, int tries) {
    run r = {.point = point, .victim = v, .retries = retries};
    while (tries-- > 0 && goes_on() && choose(&r, size) && !run_host(&r)) {}
}

/* Every point: workers in pools of every size, with and without retries; nursery and caller in one of
 * these. */
static void sweep(unsigned first, int tries, int64_t until_ns) {
    for (unsigned i = 0; i < points && now_ns() < until_ns && goes_on(); i++) {
        unsigned point = 1 + (first + i) % points;
        for (size_t size = 0; size < SIZES; size++) {
            kill_at(point, A_WORKER, size, 0, tries);
            kill_at(point, A_WORKER, size, RETRIES, tries);
        }
        for (victim v = THE_NURSERY; v <= THE_CALLER; v++) {
            kill_at(point, v, random_next(&state) % SIZES,
                    random_next(&state) % 2 == 0 ? 0 : RETRIES, tries);
        }
    }
}

static bool was_reached(unsigned point) {
    return reached[point][A_WORKER] + reached[point][THE_NURSERY] + reached[point][THE_CALLER] > 0;
}

/* Some points are passed only if a task comes in the microseconds in which a worker looks for one. */
static void insist(void) {
    for (unsigned point = 1; point <= points; point++) {
        for (int i = 0; i < INSIST_TRIES && goes_on() && !was_reached(point); i++) {
            const size_t size = random_next(&state) % SIZES;
            run r = {.point = point, .victim = A_WORKER, .retries = RETRIES};
            if (!choose(&r, size)) {
                r.scenario = &scenarios[random_next(&state) % scenario_count];
                r.workers = workers_of_size[size];
            }
            r.visit = 1;
            run_host(&r);
        }
    }
}

/* How many points killed somebody. Complains of the others. */
static unsigned count_reached(void) {
    unsigned count = 0;
    for (unsigned i = 1; i <= points; i++) {
        count += was_reached(i);
        if (!was_reached(i)) {
            fprintf(stderr, "points: nobody was killed at %s\n", cf_fault_point_name(i));
        }
    }
    return count;
}

static void print_table(void) {
    for (unsigned i = 1; i <= points; i++) {
        printf("%-20s worker %6" PRIu64 "  nursery %6" PRIu64 "  caller %6" PRIu64 "\n",
               cf_fault_point_name(i), reached[i][A_WORKER], reached[i][THE_NURSERY],
               reached[i][THE_CALLER]);
    }
}

int main(int argc, char **argv) {
    int64_t seconds = tally_begin("points", argc, argv);
    const int64_t until_ns = now_ns() + seconds * SECOND;
    state = chaos_seed;
    while (points + 1 < POINTS_MOST && cf_fault_point_name(points + 1) != NULL) {
        points++;
    }
    told = shared_alloc(sizeof *told);
    notes_make();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    host_run(ask_serial, NULL); /* this process makes no executor: each host reads CF_FAULT */
    survey();
    sweep(0, TRIES, INT64_MAX);
    while (now_ns() < until_ns && goes_on()) {
        sweep((unsigned)(random_next(&state) % points), 1, until_ns);
    }
    insist();
    unsigned count = count_reached();
    tally_add(&chaos->points, count);
    if (seconds > 0) {
        print_table();
    }
    printf("points: killed at %u of %u points, %zu scenarios\n", count, points, scenario_count);
    int code = tally_end();
    return points > 0 && count == points ? code : 1;
}
