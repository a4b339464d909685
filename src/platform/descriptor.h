/* Descriptors of the library's own never take the place of a closed standard stream: what the
 * program then printed would be written into them. */
#ifndef PLATFORM_DESCRIPTOR_H
#define PLATFORM_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Takes what a call that makes a descriptor returned, closed on exec; gives the same or another one
 * above 2, or -1 with errno. */
static inline int cfi_descriptor_above_standard(int made) {
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
