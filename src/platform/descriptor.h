/* The library's own descriptors never take the number of a closed standard stream: else the
 * program's output would be written into them. */
#ifndef PLATFORM_DESCRIPTOR_H
#define PLATFORM_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
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

/* An eventfd, a pidfd or the like; not a file, pipe, socket or terminal, nor closed. A program may have
 * closed a descriptor of the library, and opened a file of its own that has its number now. */
static inline bool plat_descriptor_is_anonymous(int file) {
    struct stat about;
    return fstat(file, &about) == 0 && (about.st_mode & S_IFMT) == 0;
}

#endif
