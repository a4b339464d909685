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

/* For descriptors that live as long as an executor: as above, and with a number that a program which
 * closes all descriptors does not soon give to one of its own, if the limit of descriptors allows. */
static inline int plat_descriptor_out_of_the_way(int made) {
    enum {
        FAR = 512
    };
    int moved = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, FAR);
    if (moved < 0) {
        return plat_descriptor_above_standard(made);
    }
    close(made);
    return moved;
}

/* An eventfd, a pidfd or the like; not a file, pipe, socket or terminal, nor closed. A program may have
 * closed a descriptor of the library, and opened a file of its own that has its number now. */
static inline bool plat_descriptor_is_anonymous(int file) {
    struct stat about;
    return fstat(file, &about) == 0 && (about.st_mode & S_IFMT) == 0;
}

#endif
