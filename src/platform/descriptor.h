/* The library's own descriptors never take the number of a closed standard stream: else the
 * program's output would be written into them. */
#ifndef PLATFORM_DESCRIPTOR_H
#define PLATFORM_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* made: the result of a call that makes a descriptor, close-on-exec. Returns the same one, or one
 * above 2 in its place, or -1 with errno. */
static inline int plat_descriptor_above_standard(int made) {
    if (made < 0 || made > STDERR_FILENO) {
        return made;
    }
    int moved = fcntl(made, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(made);
    errno = error;
    return moved;
}

#endif
