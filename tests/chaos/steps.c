/* Single-step sweep: a worker, and the nursery, is killed after k machine instructions, for k through a whole
 * cycle and in every way of collecting. Every task has one end; nothing hangs and nothing stays.
 *
 * The worker is held as a debugger does it (ptrace) while it runs a task of the test. Then it takes k steps, a
 * system call being one: back from the task, through settling, announcing, claiming and beginning the next
 * task or falling asleep. There the cycle ends, and k begins at 1 again. A thread collects meanwhile.
 *
 * The nursery is held while it sleeps, and takes its steps from the death of a worker, from the first submit
 * or from destroy on. Each of its deaths takes a pool. */
#include "steps_ways.h"
#include "tracer.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HANG_S = 10,
    K_MOST = 1 << 20, /* no cycle is that long */
    FAULTS_MOST = 5,
    WAYS_MOST = 16,
    STRIDE = 61,
    EARLY = 320
};

static uint64_t state; /* of the random numbers */
static uint64_t steps_made;
static char what[160]; /* for complaints */
static _Atomic uint64_t rounds;
static _Atomic bool is_over;

static bool goes_on(void) {
    return chaos->hung == 0 && chaos->lost + chaos->duplicated + chaos->leaked < FAULTS_MOST;
}

/* Ends the host if no round ends for HANG_S. Its pools end with it. */
static void *watch(void *unused) {
    uint64_t seen = 0;
    int64_t since_ns = now_ns();
    (void)unused;
    while (!atomic_load(&is_over)) {
        usleep(20000);
        if (seen != atomic_load(&rounds)) {
            seen = atomic_load(&rounds);
            since_ns = now_ns();
        } else if (now_ns() - since_ns > HANG_S * SECOND) {
            tally_fault(&chaos->hung, "%s: hangs", what);
            tracer_ask(END, 0, 0);
            _exit(0); /* the main process tells */
        }
    }
    return NULL;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void begin_round(void) {
    memset(in_round, 0, sizeof *in_round);
    atomic_fetch_add(&rounds, 1);
}

typedef struct client {
    cf_executor *pool;
    const pool_kind *kind;
    const way *way;
    pthread_t thread;
} client;

static void *be_client(void *context) {
    const client *c = context;
    c->way->run(c->pool, c->kind, what);
    return NULL;
}

static void start_client(client *c) {
    if (pthread_create(&c->thread, NULL, be_client, c) != 0) {
        perror("steps: pthread_create");
        exit(2);
    }
}

static cf_executor *make_pool(const way *w, const pool_kind *kind) {
    cf_pool_options options = {.max_workers = kind->workers};
    cf_executor *pool;
    if (w->options != NULL) {
        w->options(&options);
    }
    cf_status status = cf_process_pool_create(&options, &pool);
    if (status != CF_OK) {
        tally_fault(&chaos->lost, "%s: create: %s", what, cf_status_name(status));
        return NULL;
    }
    return pool;
}

/* Each death costs one task. */
static void check_deaths(unsigned deaths) {
    if (in_round->of_workers > deaths) {
        tally_fault(&chaos->lost, "%s: %u tasks ended with a worker", what, in_round->of_workers);
    }
}

/* ---- workers --------------------------------------------------------------------------------- */

/* Returns the steps made: fewer than k at the end of the cycle. */
static uint64_t kill_worker(cf_executor *pool, const pool_kind *kind, const way *w, uint32_t gated,
                            uint64_t k) {
    client c = {.pool = pool, .kind = kind, .way = w};
    uint64_t made = 0;
    begin_round();
    snprintf(what, sizeof what, "%s, %u workers, %u retries, worker killed after %" PRIu64 " steps",
             w->name, kind->workers, kind->retries, k);
    in_round->gated = gated;
    start_client(&c);
    counter_wait(&in_round->entered, 1);
    usleep((useconds_t)(random_next(&state) % 100)); /* the client may fall asleep */
    pid_t worker = atomic_load(&in_round->runner);
    bool held = tracer_ask(HOLD, worker, 0);
    counter_add(&in_round->gate, 1);
    if (held) {
        made = tracer_ask(STEP_TO_NEXT, worker, k);
        steps_made += made;
        tracer_ask(KILL, worker, 0);
        tally_add(&chaos->kills, 1);
        tally_add(&chaos->steps, 1);
    }
    pthread_join(c.thread, NULL);
    check_deaths(held);
    return made;
}

/* ---- the nursery ----------------------------------------------------------------------------- */

typedef enum moment {
    FIRST_SUBMIT,
    A_DEATH,
    DESTROY,
    MOMENTS
} moment;
static const char *const moment_names[] = {"the first submit", "a worker's death", "destroy"};

static pid_t find_nursery(void) {
    pid_t found = 0;
    char path[64], name[32];
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    while (processes != NULL && found == 0 && (entry = readdir(processes)) != NULL) {
        int parent = 0;
        pid_t pid = (pid_t)atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *file = pid > 0 ? fopen(path, "re") : NULL;
        if (file != NULL) {
            if (fscanf(file, "%*d (%31[^)]) %*c %d", name, &parent) == 2 && parent == getpid() &&
                strcmp(name, "cf-nursery") == 0) {
                found = pid;
            }
            fclose(file);
        }
    }
    if (processes != NULL) {
        closedir(processes);
    }
    return found;
}

/* Sleeping in its loop: it has no more to do. */
static bool await_sleep(pid_t process) {
    int64_t until_ns = now_ns() + SECOND;
    while (process_state(process) != 'S' && now_ns() < until_ns) {
        usleep(50);
    }
    return process_state(process) == 'S';
}

static void *be_destroyer(void *pool) {
    cf_executor_destroy(pool);
    return NULL;
}

static uint64_t kill_nursery(const pool_kind *kind, const way *w, moment m, uint64_t k) {
    uint64_t made = 0;
    begin_round();
    snprintf(what, sizeof what,
             "%s, %u workers, %u retries, nursery killed %" PRIu64 " steps after %s", w->name,
             kind->workers, kind->retries, k, moment_names[m]);
    cf_executor *pool = make_pool(w, kind);
    client c = {.pool = pool, .kind = kind, .way = w};
    pthread_t destroyer;
    if (pool == NULL) {
        return 0;
    }
    for (int i = 0; i < 2000 && find_nursery() == 0; i++) { /* until it has its name */
        usleep(50);
    }
    pid_t nursery = find_nursery();
    if (m != FIRST_SUBMIT) {
        start_client(&c);
        counter_wait(&in_round->entered, 1);
    }
    if (m == DESTROY) { /* a held nursery replaces no worker, which the client may need */
        counter_add(&in_round->gate, 1);
        pthread_join(c.thread, NULL);
    }
    bool held = nursery != 0 && await_sleep(nursery) && tracer_ask(HOLD, nursery, 0);
    if (m == FIRST_SUBMIT) {
        start_client(&c);
    } else if (m == A_DEATH) {
        pid_t runner = atomic_load(&in_round->runner);
        kill(runner, SIGKILL);
        while (held &&
               process_state(runner) != 'Z') { /* it stays a zombie while the nursery is held */
            usleep(20);
        }
    } else {
        pthread_create(&destroyer, NULL, be_destroyer, pool);
    }
    if (held) {
        made = tracer_ask(STEP, nursery, k);
        steps_made += made;
    }
    counter_add(&in_round->gate, 1);
    if (held) {
        tracer_ask(KILL, nursery, 0);
        tally_add(&chaos->kills, 1);
        tally_add(&chaos->steps, 1);
    }
    if (m == DESTROY) {
        pthread_join(destroyer, NULL);
    } else {
        pthread_join(c.thread, NULL);
        if (held && !pool_breaks(pool)) {
            tally_fault(&chaos->lost, "%s: the pool does not break", what);
        }
        cf_executor_destroy(pool);
    }
    check_deaths(m == A_DEATH);
    return made;
}

/* ---- the sweep ------------------------------------------------------------------------------- */

/* How far a sweep of one way has come. */
typedef struct progress {
    uint64_t k;       /* next */
    uint64_t longest; /* cycle that was seen */
    uint64_t kills;
} progress;

/* of worker: way, one worker or two, with retries or not, the gated task ends its chunk or not; of nursery: way,
 * moment, and the same */
static progress of_worker[WAYS_MOST][2][2][2];
static progress of_nursery[WAYS_MOST][MOMENTS][2][2];

/* In the reduced form: first the whole cycle, then a random one of it, nearly always from its beginning. There the
 * task is settled and announced; later the worker searches for long, and each k takes long. */
static uint64_t sample_k(const progress *p) {
    uint64_t most = p->longest;
    if (most == 0) {
        return K_MOST;
    }
    if (most > EARLY && random_next(&state) % 12 != 0) {
        most = EARLY;
    }
    return 1 + random_next(&state) % most;
}

/* Else a little beyond the last, so that each pass over a cycle has others. */
static uint64_t choose_k(const progress *p, bool samples) {
    return samples ? sample_k(p) : p->k + 1 + random_next(&state) % STRIDE;
}

static void note_made(progress *p, uint64_t k, uint64_t made) {
    p->longest = made > p->longest ? made : p->longest;
    p->k = made < k ? 0 : k;
    p->kills += made > 0;
}

static void sweep_worker(size_t w, unsigned rounds_here, bool samples, int64_t until_ns) {
    for (unsigned v = 0; v < 4 && goes_on(); v++) {
        const pool_kind kind = {.workers = 1 + v % 2, .retries = v / 2 * 3};
        snprintf(what, sizeof what, "%s", ways[w].name);
        belongings before = belongings_now();
        cf_executor *pool = make_pool(&ways[w], &kind);
        for (unsigned i = 0; pool != NULL && i < rounds_here && goes_on() && now_ns() < until_ns;
             i++) {
            bool at_end = ways[w].chunk > 0 && i % 2 == 0;
            progress *p = &of_worker[w][v % 2][v / 2][at_end];
            uint64_t k = choose_k(p, samples);
            note_made(p, k, kill_worker(pool, &kind, &ways[w], at_end ? ways[w].chunk - 1 : 0, k));
        }
        cf_executor_destroy(pool);
        belongings_check(&before, what);
    }
}

static void sweep_nursery(size_t w, unsigned rounds_here, bool samples, int64_t until_ns) {
    for (unsigned i = 0; i < rounds_here && goes_on() && now_ns() < until_ns; i++) {
        moment m = (moment)((w + i) % MOMENTS);
        unsigned v = random_next(&state) % 4;
        const pool_kind kind = {.workers = 1 + v % 2, .retries = v / 2 * 3, .may_break = true};
        progress *p = &of_nursery[w][m][v % 2][v / 2];
        belongings before = belongings_now();
        uint64_t k = choose_k(p, samples);
        note_made(p, k, kill_nursery(&kind, &ways[w], m, k));
        belongings_check(&before, what);
    }
}

/* Adds up `count` of them, which lie one after the other. */
static progress sum_of(const progress *first, size_t count) {
    progress sum = {0};
    for (size_t i = 0; i < count; i++) {
        sum.kills += first[i].kills;
        sum.longest = first[i].longest > sum.longest ? first[i].longest : sum.longest;
    }
    return sum;
}

/* False: there is a way in which nobody was killed. */
static bool print_cycles(void) {
    bool all = true;
    for (size_t w = 0; w < way_count; w++) {
        progress worker = sum_of(of_worker[w][0][0], 8);
        printf("steps: %-18s %5" PRIu64 " workers killed in cycles of up to %" PRIu64 " steps\n",
               ways[w].name, worker.kills, worker.longest);
        all = all && worker.kills > 0;
    }
    for (unsigned m = 0; m < MOMENTS; m++) {
        progress nursery = {0};
        for (size_t w = 0; w < way_count; w++) {
            progress here = sum_of(of_nursery[w][m][0], 4);
            nursery.kills += here.kills;
            nursery.longest = here.longest > nursery.longest ? here.longest : nursery.longest;
        }
        printf("steps: %-18s %5" PRIu64 " nurseries killed in cycles of up to %" PRIu64 " steps\n",
               moment_names[m], nursery.kills, nursery.longest);
        all = all && nursery.kills > 0;
    }
    printf("steps: %" PRIu64 " steps in all\n", steps_made);
    return all;
}

static int64_t seconds; /* 0: the reduced form */

static int be_caller(void *unused) {
    const int64_t until_ns = seconds > 0 ? now_ns() + seconds * SECOND : INT64_MAX;
    pthread_t watchdog;
    cf_executor *warm_up; /* what a process makes once */
    (void)unused;
    alarm(0); /* of host_start */
    if (cf_thread_pool_create(NULL, &warm_up) != CF_OK ||
        pthread_create(&watchdog, NULL, watch, NULL) != 0) {
        return 2;
    }
    cf_executor_destroy(warm_up);
    do {
        for (size_t w = 0; w < way_count && goes_on() && now_ns() < until_ns; w++) {
            sweep_worker(w, seconds > 0 ? 6 : 14, seconds == 0, until_ns);
            sweep_nursery(w, seconds > 0 ? 3 : 1, seconds == 0, until_ns);
        }
    } while (seconds > 0 && goes_on() && now_ns() < until_ns);
    atomic_store(&is_over, true);
    pthread_join(watchdog, NULL);
    bool all = print_cycles();
    tracer_ask(END, 0, 0);
    if (!all && goes_on()) {
        tally_fault(&chaos->lost, "there is a way in which nobody was killed");
    }
    return 0;
}

int main(int argc, char **argv) {
    seconds = tally_begin("steps", argc, argv);
    state = chaos_seed;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    in_round = shared_alloc(sizeof *in_round);
    if (!tracer_begin(&in_round->next)) {
        printf("steps: the system refuses ptrace; nothing is tested\n");
        return tally_end();
    }
    pid_t caller = host_start(be_caller, NULL);
    tracer_serve(caller);
    int status = host_wait(caller);
    if (status != 0) {
        tally_fault(&chaos->lost, "the caller of the pools ended with status %x", status);
    }
    return tally_end();
}
