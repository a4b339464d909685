#include "programs/slow_server/listen_socket.h"

#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that the kernel holds until they are accepted; it may have a lower limit
 * (net.core.somaxconn). */
#define BACKLOG 4096

static struct addrinfo *find_host(const char *host, unsigned port) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char service[16];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo *found;
    const int problem = getaddrinfo(host, service, &hints, &found);
    if (problem != 0) {
        error(EXIT_USAGE, 0, "--bind: '%s': %s", host, gai_strerror(problem));
    }
    return found;
}

static void read_own_address(listen_socket *s) {
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    char service[16];
    if (getsockname(s->descriptor, (struct sockaddr *)&own, &length) != 0 ||
        getnameinfo((struct sockaddr *)&own, length, s->address, sizeof s->address, service,
                    sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        error(EXIT_IO, errno, "the socket has no address");
    }
    s->port = (unsigned)strtoul(service, NULL, 10);
    s->is_ipv6 = own.ss_family == AF_INET6;
}

/* The descriptor, or -1. */
static int listen_at(const struct addrinfo *a) {
    const int yes = 1;
    const int descriptor =
        socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (descriptor < 0) {
        return -1;
    }
    /* A server that has just ended leaves connections behind that would keep its port. */
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(descriptor, a->ai_addr, a->ai_addrlen) == 0 && listen(descriptor, BACKLOG) == 0) {
        return descriptor;
    }
    const int problem = errno;
    close(descriptor);
    errno = problem;
    return -1;
}

/* A name may have addresses that this machine does not have: of IPv6, without that. */
static bool is_not_here(int problem) {
    return problem == EADDRNOTAVAIL || problem == EAFNOSUPPORT;
}

listen_socket listen_socket_open(const char *host, unsigned port) {
    struct addrinfo *found = find_host(host, port);
    listen_socket s = {.descriptor = -1};
    errno = EADDRNOTAVAIL;
    for (struct addrinfo *a = found; a != NULL && s.descriptor < 0 && is_not_here(errno);
         a = a->ai_next) {
        s.descriptor = listen_at(a);
    }
    if (s.descriptor < 0) {
        error(EXIT_IO, errno, "port %u", port);
    }
    freeaddrinfo(found);
    read_own_address(&s);
    return s;
}
