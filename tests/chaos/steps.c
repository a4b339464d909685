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

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HANG_S = 10,
    K_MOST = 1 << 20, /* no cycle is that long */
    FAULTS_MOST = 5,
    STRIDE = 61
};

#define STEP_NS       (200 * MICROSECOND) /* after which a step that has not ended may be a sleep */
#define FIRST_STEP_NS (100 * MILLISECOND) /* what wakes the nursery may take so long */

static uint64_t state; /* of the random numbers */
static uint64_t steps_made;
static char what[160]; /* for complaints */
static _Atomic uint64_t rounds;
static _Atomic bool is_over;

static bool goes_on(void) {
    return chaos->hung == 0 && chaos->lost + chaos->duplicated + chaos->leaked < FAULTS_MOST;
}

/* ---- steps ----------------------------------------------------------------------------------- */

typedef enum step_end {
    STEPPED,
    SLEEPS, /* it would wait */
    ENDED   /* by itself */
} step_end;

/* Waits until the process has stopped. A signal that it is to get is passed on with its next step. */
static step_end await_stop(pid_t process, int64_t patience_ns, int *pass) {
    int status;
    int64_t until_ns = now_ns() + patience_ns;
    *pass = 0;
    for (;;) {
        pid_t r = waitpid(process, &status, WNOHANG | __WALL);
        if (r == process) {
            break;
        }
        if (r < 0) {
            return ENDED;
        }
        if (now_ns() > until_ns) { /* a sleeping process, or one that waits for a processor */
            if (process_state(process) == 'S') {
                return SLEEPS;
            }
            until_ns = now_ns() + STEP_NS;
        }
    }
    if (!WIFSTOPPED(status)) {
        return ENDED;
    }
    *pass = WSTOPSIG(status) == SIGTRAP || status >> 16 != 0 ? 0 : WSTOPSIG(status);
    return STEPPED;
}

static bool hold(pid_t process) {
    int pass;
    if (ptrace(PTRACE_SEIZE, process, 0, PTRACE_O_EXITKILL) != 0) {
        return false;
    }
    ptrace(PTRACE_INTERRUPT, process, 0, 0);
    return await_stop(process, STEP_NS, &pass) == STEPPED;
}

/* Up to k steps, or until it begins another task. Returns how many were made: fewer at the end of the cycle. */
static uint64_t make_steps(pid_t process, uint64_t k, bool until_next) {
    uint64_t made = 0;
    int pass = 0;
    while (made < k && (!until_next || counter_get(&in_round->next) == 0)) {
        if (ptrace(PTRACE_SINGLESTEP, process, 0, pass) != 0) {
            break;
        }
        made++;
        if (await_stop(process, made == 1 ? FIRST_STEP_NS : STEP_NS, &pass) != STEPPED) {
            break;
        }
    }
    return made;
}

static void kill_held(pid_t process) {
    kill(process, SIGKILL);
    while (waitpid(process, NULL, __WALL) > 0) {} /* its stop, perhaps, and its end */
}

/* ---- the tracer ------------------------------------------------------------------------------ */

/* The main process traces; a host that it has forked has the pools. A tracer's own wait calls see what it
 * traces, and so would those of the pool's supervisor if it were the same process. */
typedef enum order {
    HOLD,
    STEP,
    STEP_TO_NEXT, /* task */
    KILL,
    END
} order;

typedef struct tracing {
    counter ordered, done;
    order order;
    pid_t process;
    uint64_t k;      /* most steps */
    uint64_t answer; /* HOLD: it is held; STEP and STEP_TO_NEXT: steps made */
} tracing;
static tracing *tracer; /* shared */

static uint64_t carry_out(void) {
    switch (tracer->order) {
    case HOLD:
        return hold(tracer->process);
    case STEP:
    case STEP_TO_NEXT:
        return make_steps(tracer->process, tracer->k, tracer->order == STEP_TO_NEXT);
    default:
        kill_held(tracer->process);
        return 0;
    }
}

/* Until the host says END, or is gone. */
static void trace(pid_t host) {
    siginfo_t info = {0};
    for (uint32_t n = 1;; n++) {
        while (!counter_wait(&tracer->ordered, n)) {
            if (waitid(P_PID, (id_t)host, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                info.si_pid != 0) {
                return;
            }
        }
        if (tracer->order == END) {
            return;
        }
        tracer->answer = carry_out();
        counter_add(&tracer->done, 1);
    }
}

static uint64_t ask_tracer(order what_to_do, pid_t process, uint64_t k) {
    uint32_t n = counter_get(&tracer->done) + 1;
    tracer->order = what_to_do;
    tracer->process = process;
    tracer->k = k;
    counter_add(&tracer->ordered, 1);
    while (what_to_do != END && !counter_wait(&tracer->done, n)) {}
    return tracer->answer;
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
            ask_tracer(END, 0, 0);
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

/* ---- workers --------------------------------------------------------------------------------- */

/* Returns the steps made: fewer than k at the end of the cycle. */
static uint64_t kill_worker(cf_executor *pool, const pool_kind *kind, const way *w, uint64_t k) {
    client c = {.pool = pool, .kind = kind, .way = w};
    uint64_t made = 0;
    begin_round();
    snprintf(what, sizeof what, "%s, %u workers, %u retries, worker killed after %" PRIu64 " steps",
             w->name, kind->workers, kind->retries, k);
    if (w->chunk > 0 && random_next(&state) % 4 != 0) {
        in_round->gated = w->chunk - 1; /* the cycle then goes over the chunk's end */
    }
    start_client(&c);
    counter_wait(&in_round->entered, 1);
    usleep((useconds_t)(random_next(&state) % 100)); /* the client may fall asleep */
    pid_t worker = atomic_load(&in_round->runner);
    bool held = ask_tracer(HOLD, worker, 0);
    counter_add(&in_round->gate, 1);
    if (held) {
        made = ask_tracer(STEP_TO_NEXT, worker, k);
        steps_made += made;
        ask_tracer(KILL, worker, 0);
        tally_add(&chaos->kills, 1);
        tally_add(&chaos->steps, 1);
    }
    pthread_join(c.thread, NULL);
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
    bool held = nursery != 0 && await_sleep(nursery) && ask_tracer(HOLD, nursery, 0);
    if (m == FIRST_SUBMIT) {
        start_client(&c);
    } else if (m == A_DEATH) {
        kill(atomic_load(&in_round->runner), SIGKILL);
    } else {
        pthread_create(&destroyer, NULL, be_destroyer, pool);
    }
    if (held) {
        made = ask_tracer(STEP, nursery, k);
        steps_made += made;
    }
    counter_add(&in_round->gate, 1);
    if (held) {
        ask_tracer(KILL, nursery, 0);
        tally_add(&chaos->kills, 1);
        tally_add(&chaos->steps, 1);
    }
    if (m == DESTROY) {
        pthread_join(destroyer, NULL);
    } else {
        pthread_join(c.thread, NULL);
        cf_executor_destroy(pool);
    }
    return made;
}

/* ---- the sweep ------------------------------------------------------------------------------- */

/* How far a sweep of one way has come. */
typedef struct progress {
    uint64_t k;       /* next */
    uint64_t longest; /* cycle that was seen */
} progress;

static progress of_workers[16][2][2]; /* way, one worker or two, with retries or not */
static progress of_nursery[MOMENTS];

/* The next k: a little beyond the last, so that each pass over a cycle has others; in the reduced form a random
 * one of the cycle. */
static uint64_t choose_k(const progress *p, bool samples) {
    return !samples          ? p->k + 1 + random_next(&state) % STRIDE
           : p->longest == 0 ? K_MOST
                             : 1 + random_next(&state) % p->longest;
}

static void note_made(progress *p, uint64_t k, uint64_t made) {
    p->longest = made > p->longest ? made : p->longest;
    p->k = made < k ? 0 : k;
}

static void sweep_workers(size_t w, unsigned rounds_here, bool samples, int64_t until_ns) {
    for (unsigned v = 0; v < 4 && goes_on(); v++) {
        const pool_kind kind = {.workers = 1 + v % 2, .retries = v / 2 * 3};
        progress *p = &of_workers[w][v % 2][v / 2];
        snprintf(what, sizeof what, "%s", ways[w].name);
        belongings before = belongings_now();
        cf_executor *pool = make_pool(&ways[w], &kind);
        for (unsigned i = 0; pool != NULL && i < rounds_here && goes_on() && now_ns() < until_ns;
             i++) {
            uint64_t k = choose_k(p, samples);
            note_made(p, k, kill_worker(pool, &kind, &ways[w], k));
        }
        cf_executor_destroy(pool);
        belongings_check(&before, what);
    }
}

static void sweep_nursery(unsigned rounds_here, bool samples, int64_t until_ns) {
    for (unsigned i = 0; i < rounds_here && goes_on() && now_ns() < until_ns; i++) {
        const way *w = &ways[random_next(&state) % way_count];
        moment m = (moment)(random_next(&state) % MOMENTS);
        const pool_kind kind = {.workers = 1 + random_next(&state) % 2,
                                .retries = random_next(&state) % 2 * 3,
                                .may_break = true};
        belongings before = belongings_now();
        uint64_t k = choose_k(&of_nursery[m], samples);
        note_made(&of_nursery[m], k, kill_nursery(&kind, w, m, k));
        belongings_check(&before, what);
    }
}

static void print_cycles(void) {
    for (size_t w = 0; w < way_count; w++) {
        uint64_t longest = 0;
        for (unsigned v = 0; v < 4; v++) {
            uint64_t here = of_workers[w][v % 2][v / 2].longest;
            longest = here > longest ? here : longest;
        }
        printf("steps: %-18s a worker's cycle has up to %" PRIu64 " steps\n", ways[w].name,
               longest);
    }
    for (unsigned m = 0; m < MOMENTS; m++) {
        printf("steps: the nursery after %-18s up to %" PRIu64 " steps\n", moment_names[m],
               of_nursery[m].longest);
    }
    printf("steps: %" PRIu64 " steps in all\n", steps_made);
}

static int be_held(void *unused) {
    (void)unused;
    pause();
    return 0;
}

static bool may_trace(void) {
    pid_t child = host_start(be_held, NULL);
    bool may = hold(child);
    kill_held(child);
    return may;
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
            sweep_workers(w, seconds > 0 ? 100 : 4, seconds == 0, until_ns);
            sweep_nursery(seconds > 0 ? 20 : 2, seconds == 0, until_ns);
        }
    } while (seconds > 0 && goes_on() && now_ns() < until_ns);
    atomic_store(&is_over, true);
    pthread_join(watchdog, NULL);
    print_cycles();
    ask_tracer(END, 0, 0);
    return 0;
}

int main(int argc, char **argv) {
    seconds = tally_begin("steps", argc, argv);
    state = chaos_seed;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    in_round = shared_alloc(sizeof *in_round);
    tracer = shared_alloc(sizeof *tracer);
    if (!may_trace()) {
        printf("steps: the system refuses ptrace; nothing is tested\n");
        return tally_end();
    }
    pid_t caller = host_start(be_caller, NULL);
    trace(caller);
    int status = host_wait(caller);
    if (status != 0) {
        tally_fault(&chaos->lost, "the caller of the pools ended with status %x", status);
    }
    return tally_end();
}
