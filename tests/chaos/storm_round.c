/* One round: an executor, its clients, its killer, its end, and what must hold afterwards. */
#include "storm_killer.h"
#include "storm_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

static client clients[CLIENTS_MOST];

/* ---- clients --------------------------------------------------------------------------------- */

/* Not copied to the nursery and its workers, whose forks would cost more with each page. */
static void *private_alloc(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("storm: mmap");
        exit(2);
    }
    madvise(memory, size, MADV_DONTFORK);
    return memory;
}

/* What the process gets with its first executors is there before anything is counted. */
static void warm_up(void) {
    static cf_status (*const creates[])(const cf_pool_options *, cf_executor **) = {
        cf_process_pool_create, cf_thread_pool_create, cf_serial_create};
    killer_init();
    for (size_t i = 0; i < COUNT_OF(creates); i++) {
        cf_executor *ex = NULL;
        const uint64_t arg = 1;
        if (creates[i](NULL, &ex) == CF_OK) {
            cf_executor_submit(ex, &square_task, &arg, NULL);
            cf_executor_destroy(ex);
        }
    }
}

void clients_init(void) {
    for (unsigned i = 0; i < CLIENTS_MOST; i++) {
        client *c = &clients[i];
        c->number = i;
        c->post = &storm->posts[i];
        c->args = private_alloc(ARGS_ROOM);
        c->results = private_alloc(ARGS_ROOM);
        c->why = private_alloc(LEDGER_IDS * sizeof *c->why);
        c->handed_out = private_alloc(LEDGER_IDS);
        c->allowed = private_alloc(CLIENT_IDS * sizeof *c->allowed);
    }
    warm_up();
}

static void play_operation(client *c, unsigned number) {
    const uint64_t r = random_next(&c->seed) % 8;
    const bool is_big = c->plan->mood == BIG;
    atomic_store(&c->post->which, number);
    if (!is_big && one_in(&c->seed, 24)) {
        play_nothing(c);
    } else if (!is_big && one_in(&c->seed, 8)) {
        play_pings(c);
    } else if (is_big ? r < 4 : r == 0) {
        play_map(c);
    } else if (is_big || r == 1) {
        play_stream(c);
    } else {
        play_jobs(c);
    }
    at(c, NULL);
}

static void *play(void *arg) {
    client *c = arg;
    const round_plan *p = c->plan;
    const unsigned interruption =
        p->is_interrupted && c->number == 0 ? (unsigned)between(&c->seed, 0, p->operations) : ~0u;
    for (unsigned i = 0; i < p->operations && ids_left(c) >= 4 * JOBS_MOST; i++) {
        if (i == interruption) {
            at(c, "the end in the middle");
            plan_finale(p, c->ex[0], p->finale);
        }
        play_operation(c, i);
    }
    return NULL;
}

static void client_start(client *c, const round_plan *p, cf_executor *const ex[2], uint64_t *seed) {
    const bool is_big = p->mood == BIG;
    c->plan = p;
    c->ex[0] = ex[0];
    c->ex[1] = ex[1];
    c->seed = random_next(seed);
    c->next_id = c->first_id = is_big ? 0 : c->number * CLIENT_IDS;
    c->id_end = is_big ? (uint32_t)LEDGER_IDS : c->first_id + CLIENT_IDS;
    c->accepted[0] = c->accepted[1] = c->lost_workers = c->nothings = c->nothings_most = 0;
    c->has_chunks = false;
    c->note_count = 0;
    if (pthread_create(&c->thread, NULL, play, c) != 0) {
        perror("storm: pthread_create");
        exit(2);
    }
}

/* ---- the end of a round ---------------------------------------------------------------------- */

static void complain(const round_plan *p, const char *what, uint64_t number, uint64_t other) {
    tally_fault(&chaos->lost,
                "round %" PRIu64 ": %s: %" PRIu64 ", %" PRIu64 " (CF_CHAOS_ROUND=%" PRIu64 "; %s)",
                p->number, what, number, other, p->number, storm->plan);
}

/* All tasks are done, in an executor that has shut down. */
static void check_stats(const round_plan *p, cf_executor *ex) {
    const unsigned which = ex == clients[0].ex[1];
    cf_stats s;
    uint64_t accepted = 0;
    bool has_others = p->kind != PROCESSES; /* tasks that tasks have submitted */
    for (unsigned i = 0; i < p->clients; i++) {
        accepted += clients[i].accepted[which];
        has_others = has_others || clients[i].has_chunks;
    }
    if (cf_executor_stats(ex, &s) != CF_OK || s.pending + s.running > 0) {
        complain(p, "tasks pending and running at the end", s.pending, s.running);
    } else if (s.submitted != s.finished + s.cancelled) {
        complain(p, "submitted is not finished and cancelled", s.submitted,
                 s.finished + s.cancelled);
    } else if (has_others ? s.submitted < accepted : s.submitted != accepted) {
        complain(p, "another number of tasks was submitted", s.submitted, accepted);
    } else if (s.cancelled > 0 && s.failed > s.finished) {
        complain(p, "more failed than finished", s.failed, s.finished);
    } else if (s.retries > atomic_load(&book->deaths)) {
        complain(p, "more retries than deaths", s.retries, book->deaths);
    }
}

static void end_executor(const round_plan *p, cf_executor *ex) {
    post *mine = &storm->posts[CLIENTS_MOST];
    if (p->finale != DESTROY) {
        atomic_store(&mine->what, "shutdown");
        plan_finale(p, ex, p->finale);
    }
    if (finale_waits(p->finale)) {
        check_stats(p, ex);
    } else if (p->finale != DESTROY && p->number % 2 == 0) {
        atomic_store(&mine->what, "cf_executor_shutdown");
        cf_executor_shutdown(ex, true, false);
        check_stats(p, ex);
    }
    atomic_store(&mine->what, "cf_executor_destroy");
    cf_executor_destroy(ex);
    atomic_store(&mine->what, NULL);
}

/* Runs beyond each task's first. */
static uint64_t count_repeats(const client *c) {
    uint64_t repeats = 0;
    for (uint32_t id = c->first_id; id < c->next_id; id++) {
        const unsigned begun = book->entries[id].begun;
        repeats += begun > 1 ? begun - 1 : 0;
    }
    return repeats;
}

/* A death costs one task at most, or has it run once more. */
static void check_book(const round_plan *p) {
    uint64_t lost = 0, repeats = 0, nothings = 0, nothings_most = 0;
    for (unsigned i = 0; i < p->clients; i++) {
        lost += clients[i].lost_workers;
        repeats += count_repeats(&clients[i]);
        nothings += clients[i].nothings;
        nothings_most += clients[i].nothings_most;
        check_notes(&clients[i]);
    }
    const uint64_t deaths = atomic_load(&book->deaths);
    if (lost > deaths) {
        complain(p, "more tasks lost their worker than workers died", lost, deaths);
    }
    if (repeats > deaths) {
        tally_fault(&chaos->duplicated,
                    "round %" PRIu64 ": tasks ran again: %" PRIu64 " times, after %" PRIu64
                    " deaths (CF_CHAOS_ROUND=%" PRIu64 "; %s)",
                    p->number, repeats, deaths, p->number, storm->plan);
    }
    if (book->nothings_ended < nothings || book->nothings_begun > nothings_most) {
        complain(p, "tasks without an argument ran another number of times", book->nothings_ended,
                 book->nothings_begun);
    }
    if (book->twice > 0) {
        tally_fault(&chaos->duplicated,
                    "round %" PRIu64 ": an attempt began twice: task %u (CF_CHAOS_ROUND=%" PRIu64
                    "; %s)",
                    p->number, book->culprit, p->number, storm->plan);
    }
    if (book->spoilt > 0) {
        complain(p, "a task found another argument or local value", book->culprit, book->spoilt);
    }
    if (book->unasked > 0) {
        complain(p, "a task inside a task ended wrong", book->culprit, book->unasked);
    }
    if (book->ended > book->begun) {
        complain(p, "more finalizers than initializers", book->ended, book->begun);
    }
}

static void check_children(const round_plan *p) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD) {
        tally_fault(&chaos->leaked, "round %" PRIu64 ": a process is left (%s)", p->number,
                    storm->plan);
    }
}

static void play_with(const round_plan *p, cf_executor *const ex[2], uint64_t *seed) {
    storm_executor = ex[0];
    if (p->has_killer && !p->killer_is_process) {
        killer_start(p, random_next(seed));
    }
    for (unsigned i = 0; i < p->clients; i++) {
        client_start(&clients[i], p, ex, seed);
    }
    for (unsigned i = 0; i < p->clients; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    end_executor(p, ex[0]);
    if (ex[1] != NULL) {
        end_executor(p, ex[1]);
    }
    jobs_end_round();
}

void round_play(uint64_t number) {
    round_plan p;
    uint64_t seed;
    plan_make(&p, number, &seed);
    const size_t ids = p.mood == BIG ? LEDGER_IDS : CLIENT_IDS * (size_t)p.clients;
    ledger_clear(0, ids);
    if (p.has_killer && p.killer_is_process) {
        killer_start(&p, random_next(&seed));
    }
    cf_executor *const ex[2] = {plan_create(&p), p.has_second ? plan_create(&p) : NULL};
    const bool has_all = ex[0] != NULL && (ex[1] != NULL || !p.has_second);
    if (has_all) {
        play_with(&p, ex, &seed);
    } else { /* it was told why */
        cf_executor_destroy(ex[0]);
        cf_executor_destroy(ex[1]);
    }
    if (p.has_killer && (has_all || p.killer_is_process)) {
        killer_stop();
    }
    check_book(&p);
    check_children(&p);
    tally_add(&sums->rounds, 1);
}
