#include "bench/scale_model.h"

#include "bench/splitmix.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const uint32_t NONE = UINT32_MAX;
static const uint32_t STEP = UINT32_C(1) << 31; /* of an event: a server has ended a step */
static const uint64_t ENDLESS = UINT64_MAX;
static const double NS_PER_SECOND = 1e9;
enum {
    BUNDLE_MESSAGES = 4 /* a worker */
};

/* ---- events: a binary heap, the earliest first, equal times in order of their making --------- */

typedef struct event {
    double time;
    uint64_t number;
    uint32_t what; /* a message that arrives at a manager or the root, or STEP and a server */
} event;

typedef struct event_heap {
    event *events;
    size_t count;
    uint64_t made;
} event_heap;

static bool is_before(const event *one, const event *other) {
    return one->time < other->time || (one->time == other->time && one->number < other->number);
}

static void heap_push(event_heap *heap, double time, uint32_t what) {
    const event new = {.time = time, .number = heap->made++, .what = what};
    size_t place = heap->count++;
    while (place > 0 && is_before(&new, &heap->events[(place - 1) / 2])) {
        heap->events[place] = heap->events[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->events[place] = new;
}

static event heap_pop(event_heap *heap) {
    assert(heap->count > 0);
    const event first = heap->events[0];
    const event last = heap->events[--heap->count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && is_before(&heap->events[child + 1], &heap->events[child])) {
            child++;
        }
        if (!is_before(&heap->events[child], &last)) {
            break;
        }
        heap->events[place] = heap->events[child];
        place = child;
    }
    heap->events[place] = last;
    return first;
}

/* ---- lengths --------------------------------------------------------------------------------- */

/* More than 0, at most 1. */
static double draw_uniform(uint64_t *random) {
    return (double)((splitmix(random) >> 11) + 1) * 0x1p-53;
}

/* Box and Muller's method, one of its two numbers. */
static double draw_normal(uint64_t *random) {
    const double radius = sqrt(-2 * log(draw_uniform(random)));
    return radius * cos(2 * 3.14159265358979323846 * draw_uniform(random));
}

/* The sum of `count` exponential numbers of mean 1, which has a gamma distribution. Marsaglia
 * and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000), so that the
 * cost does not depend on the count. */
static double draw_sum(uint64_t *random, double count) {
    if (count == 1) {
        return -log(draw_uniform(random));
    }
    const double d = count - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = draw_normal(random), root = 1 + c * x;
        if (root > 0) {
            const double v = root * root * root;
            if (log(draw_uniform(random)) < x * x / 2 + d * (1 - v + log(v))) {
                return d * v;
            }
        }
    }
}

/* ---- the parts of the simulated machine ------------------------------------------------------ */

/* A place for a message between a server and one below it. It goes round: ready (the server may
 * send it), under way, in the inbox of the server that receives the answer, ready again. */
typedef struct message {
    uint32_t next;  /* in the list that it is in */
    uint32_t child; /* the worker; of a bundle the manager */
    uint32_t owner; /* the server that sends it */
    uint32_t chunks;
    double tasks_ns, end_ns; /* what they take, and until when */
} message;

typedef struct message_list {
    uint32_t first, last;
} message_list;

/* A manager, or the root: does one thing at a time. */
typedef struct server {
    message_list inbox, ready;
    message_list held; /* bundles' messages, for the answers to the root */
    uint64_t stock;    /* chunks that it may send */
    uint64_t results;  /* chunks that it has settled and the root has not */
    bool is_busy, sends_next;
    double idle_since, busy_ns;
} server;

/* The first or the last one of the measurement. */
typedef struct moment {
    double ns, managers_busy_ns, root_busy_ns, tasks_ns;
    uint64_t settled;
} moment;

typedef struct simulation {
    const scale_setting *setting;
    const scale_costs *costs;
    event_heap heap;
    message *messages;
    server *servers;
    double *worker_free;
    uint32_t servers_count, root; /* root: NONE without a tree */
    uint32_t bundles_from;        /* messages from here on are bundles */
    uint64_t bundle, random;
    uint64_t settled, messages_sent; /* chunks; messages to workers */
    double tasks_ns;                 /* of all messages sent */
    uint64_t begin_at, end_at;       /* so many chunks are settled */
    bool has_begun, has_ended;
    moment begin, end;
} simulation;

static void list_append(simulation *sim, message_list *list, uint32_t which) {
    sim->messages[which].next = NONE;
    if (list->first == NONE) {
        list->first = which;
    } else {
        sim->messages[list->last].next = which;
    }
    list->last = which;
}

static uint32_t list_take(simulation *sim, message_list *list) {
    const uint32_t which = list->first;
    assert(which != NONE);
    list->first = sim->messages[which].next;
    return which;
}

/* When a look at the messages finds one that arrives at `arrival`. The looks began at
 * `idle_since`. */
static double noticed(double arrival, double idle_since, double poll_ns) {
    if (poll_ns <= 0) {
        return arrival;
    }
    return fmax(arrival, idle_since + ceil((arrival - idle_since) / poll_ns) * poll_ns);
}

/* ---- what a server does, a step at a time ---------------------------------------------------- */

static double half_cost(const simulation *sim, double claims, double chunks) {
    const double tasks = chunks * sim->setting->chunk;
    return (claims * sim->costs->manager_chunk_ns + tasks * sim->costs->manager_copy_ns) / 2;
}

static moment look(const simulation *sim, double now) {
    moment result = {.ns = now, .tasks_ns = sim->tasks_ns, .settled = sim->settled};
    for (uint32_t i = 0; i < sim->servers_count; i++) {
        double *busy_ns = i == sim->root ? &result.root_busy_ns : &result.managers_busy_ns;
        *busy_ns += sim->servers[i].busy_ns;
    }
    for (uint32_t i = 0; i < sim->bundles_from; i++) { /* not what is still to be computed */
        const message *one = &sim->messages[i];
        result.tasks_ns -= fmin(fmax(one->end_ns - now, 0), one->tasks_ns);
    }
    return result;
}

static void count_settled(simulation *sim, uint64_t chunks, double now) {
    sim->settled += chunks;
    if (!sim->has_begun && sim->settled >= sim->begin_at) {
        sim->has_begun = true;
        sim->begin = look(sim, now);
    } else if (!sim->has_ended && sim->settled >= sim->end_at) {
        sim->has_ended = true;
        sim->end = look(sim, now);
    }
}

/* A worker receives, runs and answers what the message brings, after what it has got before. */
static void work(simulation *sim, uint32_t which, double arrival) {
    const scale_setting *setting = sim->setting;
    message *one = &sim->messages[which];
    const double free = sim->worker_free[one->child];
    const double start = arrival > free ? noticed(arrival, free, sim->costs->worker_poll_ns) : free;
    const double tasks = (double)one->chunks * setting->chunk;
    one->tasks_ns =
        setting->task_ns * (setting->exponential ? draw_sum(&sim->random, tasks) : tasks);
    one->end_ns = start + sim->costs->worker_message_ns +
                  one->chunks * sim->costs->worker_chunk_ns + one->tasks_ns;
    sim->tasks_ns += one->tasks_ns;
    sim->worker_free[one->child] = one->end_ns;
    heap_push(&sim->heap, one->end_ns + sim->costs->latency_ns, which);
}

static double send_to_worker(simulation *sim, server *self, double now) {
    const uint32_t which = list_take(sim, &self->ready);
    message *one = &sim->messages[which];
    const uint64_t chunks = self->stock < sim->setting->pack ? self->stock : sim->setting->pack;
    one->chunks = (uint32_t)chunks;
    if (self->stock != ENDLESS) {
        self->stock -= chunks;
    }
    sim->messages_sent++;
    const double end =
        now + sim->costs->manager_send_ns + half_cost(sim, (double)chunks, (double)chunks);
    work(sim, which, end + sim->costs->latency_ns);
    return end;
}

static double send_bundle(simulation *sim, server *self, double now) {
    const uint32_t which = list_take(sim, &self->ready);
    const double end = now + sim->costs->manager_send_ns + half_cost(sim, 1, (double)sim->bundle);
    heap_push(&sim->heap, end + sim->costs->latency_ns, which);
    return end;
}

/* The results of as many chunks as a bundle has, whichever bundles they came in: one long task
 * holds up no others. */
static double answer_root(simulation *sim, server *self, double now) {
    const uint32_t which = list_take(sim, &self->held);
    self->results -= sim->bundle;
    const double end = now + sim->costs->manager_send_ns + half_cost(sim, 0, (double)sim->bundle);
    sim->messages[which].chunks = 0; /* marks an answer */
    heap_push(&sim->heap, end + sim->costs->latency_ns, which);
    return end;
}

static double receive(simulation *sim, uint32_t self_number, double now) {
    server *self = &sim->servers[self_number];
    const uint32_t which = list_take(sim, &self->inbox);
    message *one = &sim->messages[which];
    double end = now + sim->costs->manager_receive_ns;
    if (which < sim->bundles_from) { /* a worker's answer */
        end += half_cost(sim, one->chunks, one->chunks);
        self->results += one->chunks;
        list_append(sim, &self->ready, which);
        count_settled(sim, one->chunks, end);
    } else if (self_number == sim->root) { /* a manager's answer */
        end += half_cost(sim, 1, (double)sim->bundle);
        one->chunks = (uint32_t)sim->bundle;
        list_append(sim, &self->ready, which);
    } else { /* a bundle */
        end += half_cost(sim, 0, (double)sim->bundle);
        self->stock += sim->bundle;
        list_append(sim, &self->held, which);
    }
    return end;
}

/* Starts the next step of a server that has ended one, or makes it idle. If it could both
 * receive and send, it takes turns. */
static void next_step(simulation *sim, uint32_t number, double now) {
    server *self = &sim->servers[number];
    const bool may_answer = self->held.first != NONE && self->results >= sim->bundle;
    const bool may_receive = self->inbox.first != NONE;
    const bool may_send = self->ready.first != NONE && self->stock > 0;
    double end;
    if (may_answer) {
        end = answer_root(sim, self, now);
    } else if (may_send && (self->sends_next || !may_receive)) {
        end = number == sim->root ? send_bundle(sim, self, now) : send_to_worker(sim, self, now);
        self->sends_next = false;
    } else if (may_receive) {
        end = receive(sim, number, now);
        self->sends_next = true;
    } else {
        self->is_busy = false;
        self->idle_since = now;
        return;
    }
    self->is_busy = true;
    self->busy_ns += end - now;
    heap_push(&sim->heap, end, STEP | number);
}

/* A message is there: at its owner if it is an answer, else at the manager below. */
static void arrive(simulation *sim, uint32_t which, double now) {
    const message *one = &sim->messages[which];
    const bool is_bundle = which >= sim->bundles_from && one->chunks > 0;
    const uint32_t number = is_bundle ? one->child : one->owner;
    server *at = &sim->servers[number];
    list_append(sim, &at->inbox, which);
    if (at->is_busy) {
        return;
    }
    if (sim->costs->manager_poll_ns > 0) {
        at->is_busy = true; /* until it looks */
        heap_push(&sim->heap, noticed(now, at->idle_since, sim->costs->manager_poll_ns),
                  STEP | number);
    } else {
        next_step(sim, number, now);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static unsigned managers_of(const scale_setting *setting) {
    return setting->managers == 0 ? 1 : setting->managers;
}

unsigned scale_default_bundle(const scale_setting *setting) {
    const unsigned managers = managers_of(setting);
    const uint64_t workers = (setting->workers + managers - 1) / managers;
    const uint64_t chunks = workers * setting->pack * BUNDLE_MESSAGES;
    return chunks < SCALE_COUNT_MAX ? (unsigned)chunks : SCALE_COUNT_MAX;
}

static unsigned bundle_of(const scale_setting *setting) {
    return setting->bundle > 0 ? setting->bundle : scale_default_bundle(setting);
}

static bool set_up(simulation *sim) {
    const scale_setting *setting = sim->setting;
    const uint32_t managers = managers_of(setting);
    const bool is_tree = setting->managers > 0;
    const uint32_t to_workers = setting->workers * setting->credit;
    const uint32_t count = to_workers + (is_tree ? managers * setting->credit : 0);
    sim->servers_count = managers + is_tree;
    sim->root = is_tree ? managers : NONE;
    sim->bundles_from = to_workers;
    sim->bundle = is_tree ? bundle_of(setting) : ENDLESS;
    sim->messages = calloc(count, sizeof *sim->messages);
    sim->servers = calloc(sim->servers_count, sizeof *sim->servers);
    sim->worker_free = calloc(setting->workers, sizeof *sim->worker_free);
    /* An event for each message, and for each server one. */
    sim->heap.events = malloc(((size_t)count + sim->servers_count) * sizeof *sim->heap.events);
    if (sim->messages == NULL || sim->servers == NULL || sim->worker_free == NULL ||
        sim->heap.events == NULL) {
        return false;
    }
    const message_list empty = {.first = NONE, .last = NONE};
    for (uint32_t i = 0; i < sim->servers_count; i++) {
        server *one = &sim->servers[i];
        one->inbox = one->ready = one->held = empty;
        one->stock = is_tree && i != sim->root ? 0 : ENDLESS;
    }
    for (uint32_t i = 0; i < count; i++) {
        const bool is_bundle = i >= to_workers;
        message *one = &sim->messages[i];
        one->child = is_bundle ? (i - to_workers) % managers : i % setting->workers;
        one->owner = is_bundle ? sim->root : one->child % managers;
        one->chunks = is_bundle ? (uint32_t)sim->bundle : 0;
        list_append(sim, &sim->servers[one->owner].ready, i);
    }
    const uint64_t chunks_a_round = (uint64_t)setting->workers * setting->pack;
    sim->begin_at = chunks_a_round * setting->warm_up;
    sim->end_at = chunks_a_round * ((uint64_t)setting->warm_up + setting->rounds);
    sim->has_begun = setting->warm_up == 0;
    sim->random = setting->seed;
    return true;
}

static void run(simulation *sim) {
    next_step(sim, sim->root == NONE ? 0 : sim->root, 0);
    while (!sim->has_ended) {
        const event now = heap_pop(&sim->heap);
        if (now.what & STEP) {
            next_step(sim, now.what & ~STEP, now.time);
        } else {
            arrive(sim, now.what, now.time);
        }
    }
}

static void report(const simulation *sim, scale_result *result) {
    const scale_setting *setting = sim->setting;
    const moment *begin = &sim->begin, *end = &sim->end;
    const double ns = end->ns - begin->ns;
    const double tasks = (double)(end->settled - begin->settled) * setting->chunk;
    *result = (scale_result){
        .tasks_per_second = tasks / ns * NS_PER_SECOND,
        .efficiency = (end->tasks_ns - begin->tasks_ns) / ns / setting->workers,
        .manager_busy =
            (end->managers_busy_ns - begin->managers_busy_ns) / ns / managers_of(setting),
        .root_busy = (end->root_busy_ns - begin->root_busy_ns) / ns,
        .simulated_ns = ns,
        .messages = sim->messages_sent,
    };
}

bool scale_simulate(const scale_setting *setting, scale_result *result) {
    simulation sim = {.setting = setting, .costs = &setting->costs};
    const bool is_set_up = set_up(&sim);
    if (is_set_up) {
        run(&sim);
        report(&sim, result);
    }
    free(sim.heap.events);
    free(sim.worker_free);
    free(sim.servers);
    free(sim.messages);
    return is_set_up;
}

/* ---- the closed form ------------------------------------------------------------------------- */

/* Messages a nanosecond of one manager with so many workers, whom the root gives enough. */
static double manager_rate(const scale_setting *setting, unsigned workers, double manager_ns) {
    const scale_costs *costs = &setting->costs;
    const double worker_ns =
        costs->worker_message_ns +
        setting->pack * (costs->worker_chunk_ns + setting->chunk * setting->task_ns);
    const double round_trip_ns =
        worker_ns + 2 * costs->latency_ns + costs->manager_send_ns + costs->manager_receive_ns +
        setting->pack * (costs->manager_chunk_ns + setting->chunk * costs->manager_copy_ns);
    const double by_workers = workers / worker_ns;
    const double by_credit = (double)workers * setting->credit / round_trip_ns;
    return fmin(1 / manager_ns, fmin(by_workers, by_credit));
}

double scale_formula(const scale_setting *setting) {
    const scale_costs *costs = &setting->costs;
    const bool is_tree = setting->managers > 0;
    const unsigned managers = managers_of(setting), pack = setting->pack;
    const double both_ns = costs->manager_send_ns + costs->manager_receive_ns;
    const double copy_ns = setting->chunk * costs->manager_copy_ns;
    const double bundle = bundle_of(setting);
    /* A manager of a tree exchanges bundles with the root too, and copies each task twice. */
    const double message_ns = both_ns + pack * (costs->manager_chunk_ns + copy_ns) +
                              (is_tree ? pack * (both_ns / bundle + copy_ns) : 0);
    const unsigned least = setting->workers / managers, more = setting->workers % managers;
    double messages = more * manager_rate(setting, least + 1, message_ns) +
                      (managers - more) * manager_rate(setting, least, message_ns);
    if (is_tree) {
        const double bundle_ns = both_ns + costs->manager_chunk_ns + bundle * copy_ns;
        messages = fmin(messages, bundle / bundle_ns / pack);
    }
    return messages * pack * setting->chunk * NS_PER_SECOND;
}
