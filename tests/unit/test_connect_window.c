/* The window of connections that are being opened: it grows, shrinks, and loses no place. */
#include "../check.h"

#include "download/connect_window.h"

#include <pthread.h>

TestSuite(connect_window, .timeout = TEST_SECONDS);

static unsigned take_all(connect_window *window) {
    unsigned places = 0;
    while (connect_window_take_place(window)) {
        places++;
    }
    return places;
}

static void give_all(connect_window *window, unsigned places,
                     void (*give)(connect_window *window)) {
    for (unsigned i = 0; i < places; i++) {
        give(window);
    }
}

Test(connect_window, grows_and_shrinks) {
    connect_window window;
    connect_window_init(&window);
    unsigned places = take_all(&window);
    EXPECT_EQ(places, 4u);
    for (unsigned wanted = 8; wanted <= 64; wanted *= 2) {
        give_all(&window, places, connect_window_acknowledged);
        places = take_all(&window);
        EXPECT_EQ(places, wanted);
    }
    give_all(&window, places, connect_window_acknowledged);
    EXPECT_EQ(take_all(&window), 64u);
    give_all(&window, places, connect_window_give_back);
    EXPECT_EQ(take_all(&window), 64u);
    give_all(&window, places, connect_window_dropped);
    EXPECT_EQ(take_all(&window), 2u);
    give_all(&window, 2, connect_window_dropped);
    EXPECT_EQ(take_all(&window), 2u);
}

#define THREADS 4
#define ROUNDS  20000

static void *use_places(void *data) {
    connect_window *window = data;
    void (*const ends[])(connect_window * window) = {
        connect_window_give_back, connect_window_acknowledged, connect_window_dropped};
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (connect_window_take_place(window)) {
            ends[i * i % COUNT_OF(ends)](window);
        }
    }
    return NULL;
}

Test(connect_window, threads_lose_no_place) {
    connect_window window;
    connect_window_init(&window);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT_EQ(pthread_create(&threads[i], NULL, use_places, &window), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EXPECT_EQ(take_all(&window), atomic_load(&window.size));
}
