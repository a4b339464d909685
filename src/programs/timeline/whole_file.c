#include "programs/timeline/whole_file.h"

#include "platform/clock.h"
#include "platform/descriptor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening --------------------------------------------------------------------------------- */

#define TRIES_MAX 100

/* -1: there is no new name to be had. */
static int open_temporary(whole_file *file) {
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        const uint64_t number = (uint64_t)plat_now_ns() ^ (uint64_t)getpid() << 40;
        const int length =
            snprintf(file->temporary, sizeof file->temporary, "%s.%" PRIu64, file->path, number);
        if (length < 0 || (size_t)length >= sizeof file->temporary) {
            break;
        }
        const int fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            return fd;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return -1;
}

void whole_file_open(whole_file *file, const char *path) {
    file->path = path;
    file->problem = 0;
    file->used = 0;
    file->fd = -1;
    struct stat before;
    const bool exists = lstat(path, &before) == 0;
    if (!exists || S_ISREG(before.st_mode)) {
        file->fd = open_temporary(file);
    }
    if (file->fd < 0) {
        file->temporary[0] = '\0';
        file->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    } else if (exists && fchmod(file->fd, before.st_mode & 0777) != 0) {
        file->problem = errno; /* the new file would be open to others than the old one */
    }
    file->fd = plat_descriptor_above_standard(file->fd);
    if (file->fd < 0) {
        file->problem = errno;
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_out(whole_file *file, const char *data, size_t size) {
    while (size > 0 && file->problem == 0) {
        const ssize_t written = write(file->fd, data, size);
        if (written < 0 && errno != EINTR) {
            file->problem = errno;
        }
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
}

void whole_file_write(whole_file *file, const void *data, size_t size) {
    if (size > sizeof file->buffer - file->used) {
        write_out(file, file->buffer, file->used);
        file->used = 0;
    }
    if (size > sizeof file->buffer) {
        write_out(file, data, size);
        return;
    }
    memcpy(file->buffer + file->used, data, size);
    file->used += size;
}

void whole_file_text(whole_file *file, const char *text) {
    whole_file_write(file, text, strlen(text));
}

/* Eight million of them for a million runs: printf would take a second. */
void whole_file_number(whole_file *file, int64_t number) {
    char digits[21];
    size_t at = sizeof digits;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    whole_file_write(file, digits + at, sizeof digits - at);
}

/* ---- the end --------------------------------------------------------------------------------- */

bool whole_file_close(whole_file *file) {
    write_out(file, file->buffer, file->used);
    if (file->fd >= 0 && close(file->fd) != 0 && file->problem == 0) {
        file->problem = errno;
    }
    if (file->temporary[0] != '\0') {
        if (file->problem == 0 && rename(file->temporary, file->path) != 0) {
            file->problem = errno;
        }
        if (file->problem != 0) {
            unlink(file->temporary);
        }
    }
    errno = file->problem;
    return file->problem == 0;
}
