#include "download/connect_window.h"

#include "platform/clock.h"

#define FIRST 4u
#define LEAST 2u
#define MOST  64u

void connect_window_init(connect_window *window) {
    atomic_init(&window->size, FIRST);
    atomic_init(&window->places, FIRST);
    atomic_init(&window->acknowledged_ns, plat_now_ns());
}

bool connect_window_take_place(connect_window *window) {
    unsigned places = atomic_load(&window->places);
    while (places > 0 && !atomic_compare_exchange_weak(&window->places, &places, places - 1)) {}
    return places > 0;
}

void connect_window_give_back(connect_window *window) {
    atomic_fetch_add(&window->places, 1);
}

void connect_window_acknowledged(connect_window *window) {
    atomic_store(&window->acknowledged_ns, plat_now_ns());
    unsigned size = atomic_load(&window->size);
    while (size < MOST && !atomic_compare_exchange_weak(&window->size, &size, size + 1)) {}
    atomic_fetch_add(&window->places, size < MOST ? 2 : 1);
}

void connect_window_dropped(connect_window *window) {
    unsigned size = atomic_load(&window->size);
    while (size > LEAST && !atomic_compare_exchange_weak(&window->size, &size, size - 1)) {}
    if (size <= LEAST) {
        atomic_fetch_add(&window->places, 1);
    }
}
