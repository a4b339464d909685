#include "download/opening.h"

#include "platform/clock.h"
#include "platform/descriptor.h"

#include <linux/tcp.h> /* that of <netinet/tcp.h> ends before the acknowledged bytes */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define MS_NS INT64_C(1000000)

/* tcpi_state; <linux/tcp.h> does not have them. */
enum {
    STATE_ESTABLISHED = 1,
    STATE_SYN_SENT = 2
};

/* On the loopback an acknowledgment comes at once: the kernel of the server is that of the client. What has none after
 * this time was dropped. The kernel would send again after 200 ms, and ask again for a connection after a second;
 * until then the server would have nothing to do. */
#define LEAST_PATIENCE_NS (2 * MS_NS)
#define MOST_PATIENCE_NS  (20 * MS_NS)

/* What is connected is dropped seldom: where the server's kernel had so many to connect that it kept none in mind (SYN
 * cookies). On a busy machine the bytes may take a while, and asked again the server would see them twice. */
#define CONNECTED_PATIENCE_NS (50 * MS_NS)

/* No place in the window is held longer: else a host that answers nothing, one code after the other, would take
 * the time of all of them. */
#define PLACE_NS (100 * MS_NS)

void opening_init(opening *o, openings *all, const answer *heard) {
    *o = (opening){.all = all, .answer = heard, .fd = -1, .unready_fd = -1};
}

/* ---- places in the window ---------------------------------------------------------------------- */

bool opening_take_place(opening *o) {
    connect_window *window = o->all->window;
    o->has_place = o->has_place || window == NULL || connect_window_take_place(window);
    return o->has_place;
}

static void give_back(opening *o, void (*give)(connect_window *window)) {
    if (o->has_place && o->all->window != NULL) {
        give(o->all->window);
    }
    o->has_place = false;
}

/* ---- sockets ----------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
        return ntohl(ipv4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&ipv6->sin6_addr);
}

static bool may_open(opening *o) {
    if (o->answer->headers > 0) {
        return true; /* a redirect leads to another server */
    }
    if (o->all->one_at_a_time) {
        return o->all->unready == 0 || o->unready_fd >= 0;
    }
    return opening_take_place(o);
}

/* An attempt may open two at a time, for two addresses of the server: the later one counts. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *peer) {
    (void)purpose;
    opening *o = user;
    if (!may_open(o)) {
        o->refused = true;
        return CURL_SOCKET_BAD;
    }
    const int fd = plat_descriptor_above_standard(
        socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol));
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    o->all->connections++;
    o->all->unready += o->unready_fd < 0;
    o->fd = o->unready_fd = fd;
    o->opened = true;
    o->loopback = is_loopback(&peer->addr);
    o->since_ns = plat_now_ns();
    return fd;
}

static void set_ready(opening *o) {
    o->all->unready -= o->unready_fd >= 0;
    o->unready_fd = -1;
}

/* ---- acknowledgments --------------------------------------------------------------------------- */

typedef enum progress {
    CONNECTING,
    CONNECTED,
    SENT,
    ACKNOWLEDGED
} progress;

/* Since when: its first bytes were sent, where that is what is not acknowledged. */
static progress look_at_socket(const opening *o, int64_t now_ns, int64_t *since_ns) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    *since_ns = o->since_ns;
    if (getsockopt(o->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return ACKNOWLEDGED; /* the kernel does not tell */
    }
    if (info.tcpi_state == STATE_SYN_SENT) {
        return CONNECTING;
    }
    /* The connection itself counts as one byte. Before Linux 4.1 the kernel did not count. */
    if (size < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked ||
        info.tcpi_bytes_acked > 1) {
        return ACKNOWLEDGED;
    }
    if (info.tcpi_state != STATE_ESTABLISHED || info.tcpi_unacked == 0) {
        return CONNECTED;
    }
    *since_ns = now_ns - info.tcpi_last_data_sent * MS_NS;
    return SENT;
}

/* Closed as usual, it would go on sending what the server has dropped, which might then be asked twice. */
static void close_at_once(int fd) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static int close_socket(void *user, curl_socket_t fd) {
    opening *o = user;
    o->all->connections--;
    if (fd == o->fd) {
        int64_t since_ns;
        if (look_at_socket(o, plat_now_ns(), &since_ns) == SENT) {
            o->was_connected = o->was_dropped = true;
            close_at_once(fd);
        }
        o->fd = -1;
    }
    if (fd == o->unready_fd) {
        set_ready(o);
    }
    return close(fd);
}

/* A server that takes none at all is tried less often. */
static int64_t patience_ns(const opening *o, progress so_far, int64_t now_ns) {
    const connect_window *window = o->all->window;
    if (!o->loopback) {
        return o->all->timeout_ns;
    }
    if (so_far != CONNECTING) {
        return CONNECTED_PATIENCE_NS;
    }
    const int64_t ns = window == NULL ? 0 : (now_ns - atomic_load(&window->acknowledged_ns)) / 4;
    return ns < LEAST_PATIENCE_NS ? LEAST_PATIENCE_NS
                                  : (ns < MOST_PATIENCE_NS ? ns : MOST_PATIENCE_NS);
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* That it is connected wakes the thread, an acknowledgment does not. An eighth of the way so far is soon enough at any
 * distance. */
static int64_t next_look_ns(const opening *o, progress so_far, int64_t since_ns, int64_t now_ns) {
    int64_t look_ns = since_ns + patience_ns(o, so_far, now_ns);
    if (look_ns <= now_ns) {
        look_ns = now_ns + patience_ns(o, so_far, now_ns);
    }
    if (so_far == SENT && !o->loopback) {
        look_ns = earlier(look_ns, now_ns + MS_NS + (now_ns - since_ns) / 8);
    }
    return o->has_place ? earlier(look_ns, o->since_ns + PLACE_NS) : look_ns;
}

opening_state opening_look(opening *o, int64_t now_ns, int64_t *look_ns) {
    if (o->fd < 0) {
        return OPENING_NONE;
    }
    int64_t since_ns = now_ns;
    const bool heard = o->answer->headers > 0;
    const progress so_far = heard ? ACKNOWLEDGED : look_at_socket(o, now_ns, &since_ns);
    if (so_far == ACKNOWLEDGED) {
        o->fd = -1;
        give_back(o, connect_window_acknowledged);
        return OPENING_NONE;
    }
    /* Where a connection to another machine does not come about, libcurl ends it. */
    const bool may_be_dropped = so_far == SENT || (so_far == CONNECTING && o->loopback);
    if (may_be_dropped && now_ns - since_ns >= patience_ns(o, so_far, now_ns)) {
        o->was_connected = so_far == SENT;
        o->was_dropped = true;
        return OPENING_DROPPED;
    }
    if (now_ns - o->since_ns >= PLACE_NS) {
        give_back(o, connect_window_give_back);
    }
    *look_ns = next_look_ns(o, so_far, since_ns, now_ns);
    return OPENING_WAITS;
}

/* ---- attempts ---------------------------------------------------------------------------------- */

void opening_attach(opening *o, CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, o);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, o);
}

void opening_begin(opening *o) {
    o->opened = o->refused = o->was_connected = o->was_dropped = false;
}

void opening_connected(opening *o) {
    set_ready(o);
    if (!o->opened) {
        give_back(o, connect_window_give_back);
    }
}

void opening_cut(opening *o) {
    if (o->unready_fd >= 0) {
        shutdown(o->unready_fd, SHUT_RDWR);
        while (recv(o->unready_fd, NULL, SIZE_MAX >> 1, MSG_TRUNC | MSG_DONTWAIT) > 0) {}
    }
}

void opening_end(opening *o) {
    o->fd = -1;
    set_ready(o);
    give_back(o, o->was_dropped ? connect_window_dropped : connect_window_give_back);
}
