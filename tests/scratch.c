#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void scratch_make(char path[SCRATCH_PATH]) {
    strcpy(path, "/tmp/primepool-test-XXXXXX");
    if (mkdtemp(path) == NULL) {
        perror("mkdtemp");
        abort();
    }
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void scratch_remove(const char *path) {
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int is_shown(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

char *scratch_list(const char *folder, char *text, size_t size) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_shown, alphasort);
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (length < size) {
            length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
                                       entries[i]->d_name);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return text;
}

static int open_in(const char *folder, const char *name, int flags) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, flags | O_CLOEXEC, 0644);
}

bool scratch_write(const char *folder, const char *name, const void *data, size_t size) {
    const int fd = open_in(folder, name, O_WRONLY | O_CREAT | O_TRUNC);
    const bool written = fd >= 0 && write(fd, data, size) == (ssize_t)size;
    return fd >= 0 && close(fd) == 0 && written;
}

bool scratch_holds(const char *folder, const char *name, const void *data, size_t size) {
    const int fd = open_in(folder, name, O_RDONLY);
    if (fd < 0) {
        return false;
    }
    char *found = malloc(size + 1); /* a byte more, to see that it ends there */
    const bool same =
        found && read(fd, found, size + 1) == (ssize_t)size && memcmp(found, data, size) == 0;
    free(found);
    close(fd);
    return same;
}
