/* An HTTP server for tests of downloads, on a free port of 127.0.0.1. A script says what it does with each
 * request for a flag.
 *
 * It is a process of its own: so the tests' process has nothing of it, neither threads nor descriptors,
 * and worker processes inherit no end of a connection, which would then stay open. It ends with the
 * process that started it. */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include "support.h"

#include "download/country_codes.h"

/* What is answered. All zero: 200, with the flag. */
typedef struct reply {
    unsigned status;           /* 0 = 200 */
    bool hangs_up;             /* instead of an answer */
    bool silent;               /* there never is one */
    const char *header, *text; /* "Retry-After", "7" */
    const char *body;          /* NULL = the flag */
    size_t size;               /* of the body, if more than that: zeros follow */
    bool unsized;              /* no Content-Length */
    size_t cut;       /* only so many bytes of the body are sent, if any number is given; then */
    bool stalls;      /* nothing more comes, or else the connection is closed */
    int64_t pause_ns; /* before each piece of the body, of which there are ten */
} reply;

/* For the nth request (from 1) for this code, as the `arrival`th (from 1) of all. It may take its time, and
 * wait for anything in shared memory. Called by several threads of the server's process. */
typedef reply http_script(void *context, country_code code, unsigned nth, uint32_t arrival);

/* Lives in shared memory. */
typedef struct http_server {
    char site[64]; /* as in download_settings */
    pid_t pid;
    counter requests;            /* that have come */
    counter connections;         /* that were ever made */
    _Atomic unsigned at_once;    /* requests not answered yet: now, */
    _Atomic unsigned most;       /* and at most */
    _Atomic unsigned of[26][26]; /* requests for each code */
    country_code order[4096];    /* the first ones, as they came */
} http_server;

/* The context is shared memory, or as it is when this is called. Ends the process if there can be no server. */
http_server *http_server_start(http_script *script, void *context);
void http_server_stop(http_server *server);

unsigned http_server_requests_of(const http_server *server, country_code code);

/* A GIF that says whose flag it is. */
#define FLAG_SIZE ((size_t)46)
const char *http_server_flag(country_code code, char flag[FLAG_SIZE]);

#endif
