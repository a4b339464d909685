#include "http_server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Of the server's process. */
static http_server *server;
static http_script *script;
static void *script_context;

const char *http_server_flag(country_code code, char flag[FLAG_SIZE]) {
    static const char LIKE[FLAG_SIZE + 1] = "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
                                            "\x21\xfe\x07"
                                            "flag ??\0"
                                            "\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
    memcpy(flag, LIKE, FLAG_SIZE);
    memcpy(flag + 27, code.text, 2);
    return flag;
}

static _Noreturn void give_up(const char *what) {
    perror(what);
    abort();
}

static void pause_for(int64_t ns) {
    const struct timespec t = {.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
    nanosleep(&t, NULL);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

typedef struct body {
    reply how;
    char *bytes;
    size_t size;
} body;

/* Called by the connection's own thread. */
static ssize_t read_body(void *context, uint64_t at, char *bytes, size_t room) {
    const body *b = context;
    const size_t end = b->how.cut > 0 && b->how.cut < b->size ? b->how.cut : b->size;
    if (at == end) {
        while (b->how.stalls) {
            pause();
        }
        return end == b->size ? MHD_CONTENT_READER_END_OF_STREAM
                              : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t some = end - (size_t)at;
    if (b->how.pause_ns > 0) {
        pause_for(b->how.pause_ns);
        some = some < b->size / 10 + 1 ? some : b->size / 10 + 1;
    }
    some = some < room ? some : room;
    memcpy(bytes, b->bytes + at, some);
    return (ssize_t)some;
}

static void free_body(void *context) {
    body *b = context;
    free(b->bytes);
    free(b);
}

static struct MHD_Response *make_response(const reply *how, country_code code) {
    char flag[FLAG_SIZE];
    const char *text = how->body ? how->body : http_server_flag(code, flag);
    const size_t length = how->body ? strlen(how->body) : FLAG_SIZE;
    const size_t size = how->size > length ? how->size : length;
    if (size == 0) {
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    body *b = malloc(sizeof *b);
    char *bytes = calloc(1, size);
    if (b == NULL || bytes == NULL) {
        give_up("no memory");
    }
    memcpy(bytes, text, length);
    *b = (body){*how, bytes, size};
    return MHD_create_response_from_callback(how->unsized ? MHD_SIZE_UNKNOWN : size, 4096,
                                             read_body, b, free_body);
}

/* ---- requests -------------------------------------------------------------------------------- */

static uint32_t write_down(country_code code) {
    static _Atomic uint32_t arrivals;
    const uint32_t arrival = atomic_fetch_add(&arrivals, 1) + 1;
    if (arrival <= COUNT_OF(server->order)) {
        server->order[arrival - 1] = code;
    }
    const unsigned now = atomic_fetch_add(&server->at_once, 1) + 1;
    unsigned most = atomic_load(&server->most);
    while (now > most && !atomic_compare_exchange_weak(&server->most, &most, now)) {}
    return arrival;
}

static _Atomic unsigned *requests_of(http_server *s, country_code code) {
    return &s->of[code.text[0] - 'A'][code.text[1] - 'A'];
}

/* It ends before its answer is sent: a client that has that may ask again, for that is no more at once. */
static reply ask_script(country_code code) {
    const unsigned nth = atomic_fetch_add(requests_of(server, code), 1) + 1;
    const uint32_t arrival = write_down(code);
    counter_add(&server->requests, 1);
    const reply how = script(script_context, code, nth, arrival);
    atomic_fetch_sub(&server->at_once, 1);
    return how;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **known) {
    (void)context, (void)method, (void)version, (void)upload, (void)upload_size;
    static char met;
    if (*known == NULL) { /* an answer now would end the connection */
        *known = &met;
        return MHD_YES;
    }
    char first, second, again[2];
    if (sscanf(url, "/flags/%c%c/%c%c.gif", &first, &second, &again[0], &again[1]) != 4 ||
        first < 'a' || first > 'z' || second < 'a' || second > 'z' || again[0] != first ||
        again[1] != second) {
        fprintf(stderr, "http_server: no flag: %s\n", url);
        return MHD_NO;
    }
    const country_code code = {{(char)(first - 'a' + 'A'), (char)(second - 'a' + 'A'), '\0'}};
    const reply how = ask_script(code);
    while (how.silent) {
        pause();
    }
    if (how.hangs_up) {
        return MHD_NO;
    }
    struct MHD_Response *response = make_response(&how, code);
    if (how.header) {
        MHD_add_response_header(response, how.header, how.text);
    }
    const enum MHD_Result queued =
        MHD_queue_response(connection, how.status ? how.status : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static void count_connection(void *context, struct MHD_Connection *connection, void **of_socket,
                             enum MHD_ConnectionNotificationCode what) {
    (void)context, (void)connection, (void)of_socket;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        counter_add(&server->connections, 1);
    }
}

/* ---- the process ----------------------------------------------------------------------------- */

static int listen_somewhere(http_server *s) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &length) != 0) {
        give_up("no server");
    }
    snprintf(s->site, sizeof s->site, "http://127.0.0.1:%u/flags", ntohs(own.sin_port));
    return fd;
}

/* A thread for each connection, so that a script can wait. */
static int serve(void *listening) {
    alarm(0); /* it lives as long as whoever has started it */
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL,
        NULL, answer, NULL, MHD_OPTION_LISTEN_SOCKET, *(int *)listening,
        MHD_OPTION_NOTIFY_CONNECTION, count_connection, NULL, MHD_OPTION_END);
    if (daemon == NULL) {
        give_up("no server");
    }
    for (;;) {
        pause();
    }
}

http_server *http_server_start(http_script *what, void *context) {
    server = shared_alloc(sizeof *server);
    script = what;
    script_context = context;
    int listening = listen_somewhere(server);
    server->pid = host_start(serve, &listening);
    if (server->pid < 0) {
        give_up("fork");
    }
    close(listening);
    return server;
}

void http_server_stop(http_server *s) {
    kill(s->pid, SIGKILL);
    host_wait(s->pid);
    shared_free(s, sizeof *s);
}

unsigned http_server_requests_of(const http_server *s, country_code code) {
    return atomic_load(&s->of[code.text[0] - 'A'][code.text[1] - 'A']);
}
