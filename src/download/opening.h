/* The connection that an attempt opens, until the server has acknowledged the first bytes sent on it.
 *
 * Before that the kernel of the server may have dropped it, as it had no room for one more, and told nobody: the
 * client is connected for all that it knows, or asks again after a second. The kernel of the client knows which of
 * its bytes were acknowledged (TCP_INFO). */
#ifndef DOWNLOAD_OPENING_H
#define DOWNLOAD_OPENING_H

#include "download/answer.h"
#include "download/connect_window.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* What the openings of one thread share. */
typedef struct openings {
    connect_window *window; /* NULL: there is always a place */
    bool one_at_a_time;     /* in place of the window */
    unsigned connections;   /* open, whether in use or kept */
    unsigned unready;       /* those on which nothing can be asked yet: TLS shakes hands */
    int64_t timeout_ns;     /* most time without an acknowledgment */
} openings;

typedef struct opening {
    openings *all;
    const answer *answer; /* of the attempt: until it begins, a place is needed */
    int fd;         /* the socket until the server has acknowledged what was sent on it; else -1 */
    int unready_fd; /* the socket until it can be asked on, one of openings.unready; else -1 */
    int64_t since_ns; /* when the socket was opened */
    unsigned dropped; /* connections of this download so far that the server has dropped */
    bool has_place;   /* in the window */
    bool loopback;
    bool opened;        /* this attempt has opened a connection */
    bool refused;       /* the window had no place for a new connection */
    bool was_dropped;   /* by the server; then ... */
    bool was_connected; /* ... what was sent on it was not acknowledged */
} opening;

void opening_init(opening *opening, openings *all, const answer *heard);

/* Makes the handle open and close its sockets by way of this opening, which must live as long as the handle's
 * connections. */
void opening_attach(opening *opening, CURL *easy);

void opening_begin(opening *opening);

/* The handle has a connection, a new one or one that was there, and asks. */
void opening_connected(opening *opening);

/* True if there is a place for it in the window, which is its own from then on. */
bool opening_take_place(opening *opening);

/* The attempt is about to be broken off. libcurl would look for a farewell of the server before it closes the connection,
 * and for that it would first bring the TLS handshake to its end, however long that takes: now it finds the connection
 * closed already. */
void opening_cut(opening *opening);

/* With the attempt. */
void opening_end(opening *opening);

typedef enum opening_state {
    OPENING_NONE,
    OPENING_WAITS,
    OPENING_DROPPED
} opening_state;

/* Looks at the connection, and ends the opening if the server has acknowledged it (OPENING_NONE).
 * Else `*look_ns` is when to look again. OPENING_DROPPED: it will hardly come about, and another one is
 * better. */
opening_state opening_look(opening *opening, int64_t now_ns, int64_t *look_ns);

#endif
