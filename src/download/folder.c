#include "download/folder.h"

#include "download/gif.h"
#include "platform/clock.h"
#include "platform/descriptor.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

/* ---- names ----------------------------------------------------------------------------------- */

#define NAME_MAX_LENGTH 32

static void file_name(char *name, country_code code) {
    snprintf(name, NAME_MAX_LENGTH, "%s.gif", code.text);
}

/* A process number would not do: elsewhere, in another container or on another machine, a process may have the
 * same and use the folder too. */
static uint64_t draw_number(void) {
    uint64_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
        number = (uint64_t)plat_now_ns() ^ (uint64_t)getpid() << 40; /* early at boot */
    }
    return number;
}

static void draw_temporary_name(char *name, country_code code) {
    snprintf(name, NAME_MAX_LENGTH, ".%s.gif.%" PRIu64, code.text, draw_number());
}

static bool is_temporary_name(const char *name) {
    if (strlen(name) < strlen(".BR.gif.1") || name[0] != '.' || !isupper((unsigned char)name[1]) ||
        !isupper((unsigned char)name[2]) || strncmp(name + 3, ".gif.", 5) != 0) {
        return false;
    }
    return name[8 + strspn(name + 8, "0123456789")] == '\0';
}

/* ---- leftovers ------------------------------------------------------------------------------- */

/* A file that cannot be opened or locked may be in use and stays: a link, a file of another user, any file
 * where the file system has no locks. The lock is shared, as an exclusive one may need the right to write. */
static void remove_if_left(int folder, const char *name) {
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        unlinkat(folder, name, 0); /* the lock ends after that: see lock_new */
    }
    close(fd);
}

/* A folder that cannot be read, or whose files are not ours, keeps what it has. */
static void remove_leftovers(int fd) {
    const int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    if (entries == NULL) {
        if (again >= 0) {
            close(again);
        }
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (is_temporary_name(entry->d_name)) {
            remove_if_left(fd, entry->d_name);
        }
    }
    closedir(entries);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* 0 if there is a file of that name, whatever it is: opening it will tell. */
static int make_one(const char *path) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
}

static int make_with_parents(const char *path) {
    char part[PATH_MAX];
    const size_t length = strlen(path);
    if (length >= sizeof part) {
        return ENAMETOOLONG;
    }
    for (size_t i = 1; i < length; i++) {
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            const int problem = make_one(part);
            if (problem != 0 && access(part, F_OK) != 0) {
                return problem;
            }
        }
    }
    return make_one(path);
}

int download_folder_open(download_folder *folder, const char *path) {
    folder->path = path;
    int problem = make_with_parents(path);
    if (problem != 0) {
        return problem;
    }
    folder->fd = plat_descriptor_above_standard(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder->fd < 0) {
        return errno;
    }
    remove_leftovers(folder->fd);
    return 0;
}

void download_folder_close(download_folder *folder) {
    remove_leftovers(folder->fd);
    close(folder->fd);
}

/* ---- files ----------------------------------------------------------------------------------- */

bool download_folder_has(const download_folder *folder, country_code code) {
    char name[NAME_MAX_LENGTH];
    file_name(name, code);
    struct stat status;
    if (fstatat(folder->fd, name, &status, 0) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    const int fd = openat(folder->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char start[GIF_SIGNATURE_SIZE];
    const bool is_gif =
        pread(fd, start, sizeof start, 0) == sizeof start && gif_has_signature(start, sizeof start);
    close(fd);
    return is_gif;
}

#define TRIES_MAX 100

/* False if another run has taken the new file for a leftover: it has removed it, or is about to. */
static bool lock_new(int fd) {
    struct stat status;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return false;
    }
    return fstat(fd, &status) != 0 || status.st_nlink > 0;
}

/* A file that no other run removes. A run that has removed one reads the folder once, and does not see the next. */
static int open_new(int folder, char *name, country_code code) {
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        draw_temporary_name(name, code);
        const int fd = plat_descriptor_above_standard(
            openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (fd < 0 || lock_new(fd)) {
            return fd;
        }
        unlinkat(folder, name, 0);
        close(fd);
    }
    errno = EBUSY; /* a program that locks whatever it sees */
    return -1;
}

static int write_whole(int fd, const char *data, size_t size) {
    while (size > 0) {
        const ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* Some file systems tell only at a close that there was no room. So this closes a second descriptor of the file. The first
 * one stays open, and keeps the file locked, until the file has its final name. */
static int close_once(int fd) {
    const int again = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return again >= 0 && close(again) == 0 ? 0 : errno;
}

static int write_and_rename(int fd, int folder, const char *temporary, const char *name,
                            const void *data, size_t size, bool sync) {
    int problem = write_whole(fd, data, size);
    if (problem == 0 && sync && fsync(fd) != 0) {
        problem = errno;
    }
    if (problem == 0) {
        problem = close_once(fd);
    }
    if (problem == 0 && renameat(folder, temporary, folder, name) != 0) {
        problem = errno;
    }
    return problem;
}

int download_folder_save(const download_folder *folder, country_code code, const void *data,
                         size_t size, bool sync) {
    char name[NAME_MAX_LENGTH], temporary[NAME_MAX_LENGTH];
    file_name(name, code);
    const int fd = open_new(folder->fd, temporary, code);
    if (fd < 0) {
        return errno;
    }
    int problem = write_and_rename(fd, folder->fd, temporary, name, data, size, sync);
    if (problem != 0) {
        unlinkat(folder->fd, temporary, 0);
    } else if (sync && fsync(folder->fd) != 0 && errno != EINVAL) { /* not of folders, says that */
        problem = errno;
    }
    close(fd);
    return problem;
}
