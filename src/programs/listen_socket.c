#include "programs/listen_socket.h"

#include "programs/output.h"

#include <errno.h>
#include <error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

listen_socket listen_socket_open(const char *host, unsigned port) {
    struct addrinfo *a = find_host(host, port);
    listen_socket s = {0};
    const int yes = 1;
    s.descriptor =
        socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    /* A server that has just ended leaves connections behind that would keep its port. */
    if (s.descriptor < 0 ||
        setsockopt(s.descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(s.descriptor, a->ai_addr, a->ai_addrlen) != 0 || listen(s.descriptor, BACKLOG) != 0) {
        error(EXIT_IO, errno, "port %u", port);
    }
    freeaddrinfo(a);
    read_own_address(&s);
    return s;
}
