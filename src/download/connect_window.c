#include "download/connect_window.h"

#include "platform/clock.h"
#include "platform/descriptor.h"

#include <sys/eventfd.h>

#define FIRST 4u
#define LEAST 2u
#define MOST  64u

int connect_window_open(connect_window *window) {
    atomic_init(&window->size, FIRST);
    atomic_init(&window->acknowledged_ns, plat_now_ns());
    window->fd =
        plat_descriptor_above_standard(eventfd(FIRST, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
    return window->fd < 0 ? errno : 0;
}

void connect_window_close(connect_window *window) {
    close(window->fd);
}

bool connect_window_take_place(connect_window *window) {
    uint64_t one;
    return read(window->fd, &one, sizeof one) == sizeof one;
}

static void add_places(connect_window *window, uint64_t count) {
    ssize_t written; /* does not fail: there are never many */
    do {
        written = write(window->fd, &count, sizeof count);
    } while (written < 0 && errno == EINTR);
}

void connect_window_give_back(connect_window *window) {
    add_places(window, 1);
}

void connect_window_acknowledged(connect_window *window) {
    atomic_store(&window->acknowledged_ns, plat_now_ns());
    unsigned size = atomic_load(&window->size);
    while (size < MOST && !atomic_compare_exchange_weak(&window->size, &size, size + 1)) {}
    add_places(window, size < MOST ? 2 : 1);
}

void connect_window_dropped(connect_window *window) {
    unsigned size = atomic_load(&window->size);
    while (size > LEAST && !atomic_compare_exchange_weak(&window->size, &size, size - 1)) {}
    if (size <= LEAST) {
        add_places(window, 1);
    }
}
