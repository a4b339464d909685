/* The memory of released futures is found again, by whichever threads they were released, and as soon as
 * what was given back suffices. */
#include "rows.h"

#include <pthread.h>
#include <stdlib.h>

TestSuite(released_memory, .timeout = TEST_SECONDS);

enum {
    LIMIT = 1 << 20,
    FUTURES_MOST = 100000
};

static int run_nothing(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    return 0;
}

static const cf_task nothing_task = {.name = "nothing", .run = run_nothing};

/* An executor whose memory is full of futures, all of them done. */
typedef struct scene {
    cf_executor *ex;
    size_t count;
    size_t released; /* the first so many */
    cf_future *futures[FUTURES_MOST];
} scene;

static scene *scene_open(void) {
    scene *s = calloc(1, sizeof *s);
    cf_status status = CF_OK;
    s->ex = create_with((cf_pool_options){.max_workers = 1, .arena_limit = LIMIT});
    while (s->count < FUTURES_MOST && status == CF_OK) {
        status = cf_executor_submit(s->ex, &nothing_task, NULL, &s->futures[s->count]);
        s->count += status == CF_OK;
    }
    EXPECT(CF_ENOMEM, status);
    cr_assert(s->count > 2);
    EXPECT(CF_OK, cf_wait(s->futures, s->count, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    EXPECT(CF_ENOMEM, cf_executor_submit(s->ex, &nothing_task, NULL, NULL));
    return s;
}

static void scene_close(scene *s) {
    for (size_t i = s->released; i < s->count; i++) {
        cf_future_release(s->futures[i]);
    }
    cf_executor_destroy(s->ex);
    free(s);
}

static void release_next(scene *s, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cf_future_release(s->futures[s->released++]);
    }
}

typedef struct helper {
    scene *scene;
    size_t count;
} helper;

static void *release_as_helper(void *arg) {
    const helper *h = arg;
    release_next(h->scene, h->count);
    return NULL;
}

/* By another thread than the one that submits. */
static void release_elsewhere(scene *s, size_t count) {
    pthread_t thread;
    helper h = {s, count};
    cr_assert_eq(pthread_create(&thread, NULL, release_as_helper, &h), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

static bool has_room(const scene *s) {
    const cf_status status = cf_executor_submit(s->ex, &nothing_task, NULL, NULL);
    cr_assert(status == CF_OK || status == CF_ENOMEM, "%s", cf_status_name(status));
    return status == CF_OK;
}

/* How many futures have to be released, all by one thread, until there is room. */
static size_t count_needed(void (*release)(scene *s, size_t count)) {
    enum {
        AT_ONCE = 16
    };
    scene *s = scene_open();
    do {
        cr_assert(s->released + AT_ONCE <= s->count, "there is never room again");
        release(s, AT_ONCE);
    } while (!has_room(s));
    const size_t needed = s->released;
    scene_close(s);
    return needed;
}

Test(released_memory, is_found_again_by_the_thread_that_submits) {
    const size_t needed = count_needed(release_next);
    scene *s = scene_open();
    release_next(s, needed);
    cr_assert(has_room(s));
    scene_close(s);
}

Test(released_memory, of_another_thread_is_found_again) {
    const size_t needed = count_needed(release_elsewhere);
    cr_assert(needed <= count_needed(release_next),
              "less is found of what another thread releases");
}

/* Of the futures whose memory suffices, `here` are released by the thread that submits. */
static void release_in_part(size_t needed, size_t here, bool here_first) {
    scene *s = scene_open();
    if (here_first) {
        release_next(s, here);
        release_elsewhere(s, needed - here);
    } else {
        release_elsewhere(s, needed - here);
        release_next(s, here);
    }
    cr_assert(has_room(s), "%zu futures released here %s, %zu elsewhere, and there is no room",
              here, here_first ? "first" : "last", needed - here);
    scene_close(s);
}

Test(released_memory, of_several_threads_is_found_again) {
    const size_t needed = count_needed(release_elsewhere);
    const size_t parts[] = {1, 7, needed / 2, needed - 7, needed - 1};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        release_in_part(needed, parts[i], true);
        release_in_part(needed, parts[i], false);
    }
}

/* Turn and turn about. */
Test(released_memory, of_several_threads_in_turns_is_found_again) {
    const size_t needed = count_needed(release_elsewhere);
    scene *s = scene_open();
    for (size_t turn = 0; s->released < needed; turn++) {
        const size_t left = needed - s->released, count = left < 50 ? left : 50;
        if (turn % 2) {
            release_elsewhere(s, count);
        } else {
            release_next(s, count);
        }
    }
    cr_assert(has_room(s));
    scene_close(s);
}

/* All of it is used again, for as many futures as before. */
Test(released_memory, suffices_for_as_many) {
    scene *s = scene_open();
    for (int round = 0; round < 3; round++) {
        const size_t count = s->count;
        s->released = 0;
        release_next(s, count / 3);
        release_elsewhere(s, count - count / 3);
        for (size_t i = 0; i < count; i++) {
            EXPECT(CF_OK, cf_executor_submit(s->ex, &nothing_task, NULL, &s->futures[i]));
        }
        EXPECT(CF_OK, cf_wait(s->futures, count, CF_ALL_COMPLETED, LONG_WAIT, NULL));
        s->released = 0;
    }
    scene_close(s);
}
