#define _GNU_SOURCE /* O_PATH */
#include "programs/slow_server/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOW (O_RDONLY | O_NONBLOCK | O_CLOEXEC)

/* ---- openat2 --------------------------------------------------------------------------------------- */

#if defined SYS_openat2 && __has_include(<linux/openat2.h>)
#include <linux/openat2.h>

/* The kernel gives up (EAGAIN) if something is renamed meanwhile. */
#define TRIES 100

static int open_resolved(int folder, const char *path) {
    struct open_how how = {.flags = HOW, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long file = -1;
    for (int i = 0; i < TRIES && file < 0 && (i == 0 || errno == EAGAIN); i++) {
        file = syscall(SYS_openat2, folder, path, &how, sizeof how);
    }
    return (int)file;
}
#else
static int open_resolved(int folder, const char *path) {
    (void)folder, (void)path;
    errno = ENOSYS;
    return -1;
}
#endif

/* ---- one folder after the other -------------------------------------------------------------------- */

/* A folder that is a link is ENOTDIR. */
static int open_without_links(int folder, const char *path) {
    char parts[BENEATH_PATH_MAX + 1], *rest;
    snprintf(parts, sizeof parts, "%s", path);
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    for (char *part = strtok_r(parts, "/", &rest); part != NULL && at >= 0;
         part = strtok_r(NULL, "/", &rest)) {
        const int flags = *rest == '\0' ? HOW : O_PATH | O_DIRECTORY | O_CLOEXEC;
        const int next = openat(at, part, flags | O_NOFOLLOW);
        const int problem = errno;
        close(at);
        errno = problem;
        at = next;
    }
    return at;
}

int beneath_open(int folder, const char *path) {
    const int file = open_resolved(folder, path);
    if (file >= 0 || (errno != ENOSYS && errno != EPERM)) {
        return file;
    }
    return open_without_links(folder, path);
}
