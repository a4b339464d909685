/* How many connections the threads of a run may be opening at once: those whose first bytes the server has not
 * acknowledged. A server keeps only so many connections that it has not accepted yet (listen's backlog, 5 with
 * Python's http.server), and the kernel drops what comes beyond. So the window begins with four, grows by
 * one with each acknowledgment, and shrinks with each connection that was dropped, as the window of TCP does in its
 * slow start (RFC 5681, 3.1). Nobody waits for an answer.
 *
 * A thread that finds no place looks again after some milliseconds. To wake all that wait, for each place, took 10 to
 * 26 % more time (194 flags from Python's http.server on 30 and 100 threads, AMD EPYC). Any thread may call all
 * functions. */
#ifndef DOWNLOAD_CONNECT_WINDOW_H
#define DOWNLOAD_CONNECT_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNECT_WINDOW_LOOK_MS 2

typedef struct connect_window {
    atomic_uint size;
    atomic_uint places;              /* that are free */
    _Atomic int64_t acknowledged_ns; /* the last one; at first when it was made */
} connect_window;

void connect_window_init(connect_window *window);

/* False: there is none. */
bool connect_window_take_place(connect_window *window);

/* One of these for each place taken. */
void connect_window_give_back(connect_window *window);
void connect_window_acknowledged(connect_window *window);
void connect_window_dropped(connect_window *window);

#endif
