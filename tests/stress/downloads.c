/* Downloads in every style that has threads, from two threads at once, with random delays, outcomes and
 * ends: for ThreadSanitizer, under which Criterion cannot run, so this is a plain program. Returns 0,
 * or 1 and says what was wrong.
 *
 * CF_TEST_SEED repeats a run's random choices, CF_TEST_MULT makes it longer. */
#include "../http_server.h"
#include "../scratch.h"

#include "download/download_many.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PLAYERS = 2,
    ROUNDS = 40, /* of each */
    MOST_CODES = 60
};

static _Atomic unsigned faults;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && atomic_fetch_add(&faults, 1) < 20) {                                   \
            host_complain(__FILE__, __LINE__, #condition);                                         \
        }                                                                                          \
    } while (0)

static const struct {
    download_many_fn *run;
    bool in_order;
} STYLES[] = {
    {download_many_threads, false},
    {download_many_map_threads, true},
    {download_many_async, false},
};

/* ---- the server ------------------------------------------------------------------------------ */

/* What a code's answer is does not change, only when it comes. */
typedef enum kind {
    WELL,
    MISSING,
    TEAPOT,
    SHORT, /* with a retry it is well */
    BUSY,  /* the same */
    KINDS
} kind;

static kind kind_of(country_code code) {
    const unsigned mixed = (unsigned)code.text[0] * 31 + (unsigned)code.text[1];
    return mixed % 16 < KINDS ? (kind)(mixed % 16) : WELL;
}

static void pause_for(int64_t ns) {
    const struct timespec t = {.tv_nsec = ns};
    nanosleep(&t, NULL);
}

static reply answer(void *context, country_code code, unsigned nth, uint32_t arrival) {
    uint64_t seed = *(const uint64_t *)context + arrival;
    const uint64_t how = random_next(&seed);
    pause_for(how % 4 == 0 ? (int64_t)(how >> 8) % (4 * MILLISECOND) : 0);
    switch (kind_of(code)) {
    case MISSING:
        return (reply){.status = 404};
    case TEAPOT:
        return (reply){.status = 418, .body = ""};
    case SHORT:
        return (reply){.size = 100 + how % 30000, .cut = nth % 2};
    case BUSY:
        return (reply){.status = nth % 2 ? 503 : 200,
                       .header = "Retry-After",
                       .text = "Fri, 31 Dec 1999 23:59:59 GMT"};
    default:
        return (reply){.size = how % 3 == 0 ? how % 50000 : 0, .unsized = how % 5 == 0};
    }
}

/* ---- a round --------------------------------------------------------------------------------- */

typedef struct player {
    pthread_t thread;
    const http_server *server;
    uint64_t seed;
    size_t rounds;
    size_t results[DOWNLOAD_ERROR + 1]; /* of each status */
} player;

typedef struct play {
    player *player;
    download_folder folder;
    download_stop stop;
    download_settings settings;
    connect_window window;
    download_job job;
    country_code codes[MOST_CODES];
    bool in_order, may_stop;
    pthread_t caller;
    size_t begun, collected;
    bool seen[MOST_CODES];
} play;

static _Atomic uint32_t all_saved; /* as workers tell, of whatever round */

static int tell_saved(country_code code) {
    (void)code;
    atomic_fetch_add(&all_saved, 1);
    return 0;
}

static void on_begun(void *context) {
    play *p = context;
    CHECK(pthread_equal(p->caller, pthread_self()));
    p->begun++;
}

static size_t index_of(const play *p, country_code code) {
    size_t i = 0;
    while (i < p->job.count && strcmp(p->codes[i].text, code.text) != 0) {
        i++;
    }
    return i;
}

static bool is_as_expected(const play *p, const download_result *result) {
    if (result->status == DOWNLOAD_LEFT) {
        return p->may_stop;
    }
    switch (kind_of(result->code)) {
    case MISSING:
        return result->status ==
               (p->settings.ends_with_error ? DOWNLOAD_ERROR : DOWNLOAD_NOT_FOUND);
    case TEAPOT:
        return result->status == DOWNLOAD_ERROR && result->http_status == 418;
    case SHORT:
    case BUSY: /* how often it was asked for before, by others too, nobody knows */
        return result->status == DOWNLOAD_OK ||
               (result->status == DOWNLOAD_ERROR && result->attempts == p->settings.retries + 1);
    default:
        return result->status == DOWNLOAD_OK && result->attempts == 1;
    }
}

static void on_collected(void *context, const download_result *result) {
    play *p = context;
    const size_t i = index_of(p, result->code);
    CHECK(pthread_equal(p->caller, pthread_self()));
    CHECK(i < p->job.count && !p->seen[i]);
    CHECK(!p->in_order || i == p->collected);
    CHECK(is_as_expected(p, result));
    CHECK(download_folder_has(&p->folder, result->code) == (result->status == DOWNLOAD_OK));
    if (i < p->job.count) {
        p->seen[i] = true;
    }
    p->collected++;
    p->player->results[result->status]++;
}

typedef struct stopper {
    pthread_t thread;
    const download_stop *stop;
    int64_t after_ns;
} stopper;

static void *stop_it(void *context) {
    const stopper *s = context;
    pause_for(s->after_ns);
    download_stop_request(s->stop);
    return NULL;
}

static void choose_codes(play *p, uint64_t *seed) {
    code_set set = {0};
    p->job.count = random_next(seed) % (MOST_CODES + 1);
    for (size_t i = 0; i < p->job.count; i++) {
        const country_code code = {
            {(char)('A' + random_next(seed) % 26), (char)('A' + random_next(seed) % 26), '\0'}};
        code_set_add(&set, &code, 1);
    }
    p->job.count = code_set_list(&set, p->codes, MOST_CODES);
}

static void play_round(player *who) {
    uint64_t *seed = &who->seed;
    char path[SCRATCH_PATH];
    play p = {.player = who, .caller = pthread_self()};
    scratch_make(path);
    CHECK(download_folder_open(&p.folder, path) == 0 && download_stop_open(&p.stop) == 0);
    connect_window_init(&p.window);
    p.settings = (download_settings){
        .site = who->server->site,
        .folder = &p.folder,
        .stop = &p.stop,
        .window = &p.window,
        .trust = trust_store_create(NULL),
        .timeout_ns = LONG_WAIT,
        .deadline_ns = LONG_WAIT,
        .size_limit = 1 << 20,
        .retries = random_next(seed) % 2 ? 0 : 2,
        .skip_existing = random_next(seed) % 2,
        .ends_with_error = random_next(seed) % 8 == 0,
        .saved = tell_saved,
    };
    choose_codes(&p, seed);
    p.job.settings = &p.settings;
    p.job.codes = p.codes;
    p.job.most = 1 + (unsigned)(random_next(seed) % 12);
    p.job.begun = on_begun;
    p.job.collected = on_collected;
    p.job.context = &p;

    const size_t style = random_next(seed) % COUNT_OF(STYLES);
    const bool stops = random_next(seed) % 2;
    stopper s = {.stop = &p.stop, .after_ns = (int64_t)(random_next(seed) % (20 * MILLISECOND))};
    p.in_order = STYLES[style].in_order;
    p.may_stop = stops || p.settings.ends_with_error;
    CHECK(!stops || pthread_create(&s.thread, NULL, stop_it, &s) == 0);
    CHECK(STYLES[style].run(&p.job) == CF_OK);
    CHECK(p.begun == 1 && p.collected == p.job.count);
    if (stops) {
        pthread_join(s.thread, NULL);
    }
    CHECK(atomic_load(&p.window.places) == atomic_load(&p.window.size));
    trust_store_destroy(p.settings.trust);
    download_stop_close(&p.stop);
    download_folder_close(&p.folder);
    scratch_remove(path);
}

static void *play_rounds(void *context) {
    player *p = context;
    for (size_t left = p->rounds; left > 0; left--) {
        play_round(p);
    }
    return NULL;
}

int main(void) {
    uint64_t seed = test_seed("downloads");
    const int64_t start = now_ns();
    http_server *server = http_server_start(answer, &seed); /* before there are threads */
    player players[PLAYERS] = {0};
    size_t sum[DOWNLOAD_ERROR + 1] = {0};
    CHECK(download_prepare());
    for (size_t i = 0; i < PLAYERS; i++) {
        players[i] =
            (player){.server = server, .seed = random_next(&seed), .rounds = scaled(ROUNDS)};
        CHECK(pthread_create(&players[i].thread, NULL, play_rounds, &players[i]) == 0);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        for (size_t status = 0; status < COUNT_OF(sum); status++) {
            sum[status] += players[i].results[status];
        }
    }
    CHECK(atomic_load(&all_saved) == sum[DOWNLOAD_OK]);
    download_finish();
    http_server_stop(server);
    fprintf(stderr, "%zu ok, %zu not found, %zu errors, %zu left\n", sum[DOWNLOAD_OK],
            sum[DOWNLOAD_NOT_FOUND], sum[DOWNLOAD_ERROR], sum[DOWNLOAD_LEFT]);
    fprintf(stderr, "%u faults in %.1f s\n", atomic_load(&faults),
            (double)(now_ns() - start) / SECOND);
    return atomic_load(&faults) ? 1 : 0;
}
