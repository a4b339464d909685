/* A socket that listens for TCP connections. */
#ifndef PROGRAMS_LISTEN_SOCKET_H
#define PROGRAMS_LISTEN_SOCKET_H

#include <stdbool.h>

typedef struct listen_socket {
    int descriptor;   /* does not block */
    char address[64]; /* as a number, "127.0.0.1" */
    unsigned port;
    bool is_ipv6;
} listen_socket;

/* `host` is an address or a name, `port` 0 any that is free. What cannot be had ends the program: a
 * host that there is not with EXIT_USAGE, all else with EXIT_IO. */
listen_socket listen_socket_open(const char *host, unsigned port);

#endif
