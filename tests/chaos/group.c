#include "group.h"

#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_NS (2 * SECOND)

static bool write_text(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const ssize_t size = (ssize_t)strlen(text);
    const bool done = fd >= 0 && write(fd, text, (size_t)size) == size;
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

/* Where the hierarchy of the resource is mounted: of version 1, or of version 2. */
static bool find_mount(const char *resource, char *mount, size_t size, bool *is_v2) {
    char line[1024];
    bool found = false;
    FILE *mounts = fopen("/proc/self/mounts", "re");
    while (mounts != NULL && !found && fgets(line, sizeof line, mounts) != NULL) {
        char where[400], type[64], options[512];
        if (sscanf(line, "%*s %399s %63s %511s", where, type, options) != 3) {
            continue;
        }
        if (strcmp(type, "cgroup") == 0) {
            char *rest = NULL;
            for (char *o = strtok_r(options, ",", &rest); o != NULL;
                 o = strtok_r(NULL, ",", &rest)) {
                found = found || strcmp(o, resource) == 0;
            }
            *is_v2 = false;
        } else if (strcmp(type, "cgroup2") == 0) {
            char path[600], controllers[256] = "";
            snprintf(path, sizeof path, "%s/cgroup.controllers", where);
            FILE *file = fopen(path, "re");
            if (file != NULL) {
                found = fgets(controllers, sizeof controllers, file) != NULL &&
                        strstr(controllers, resource) != NULL;
                fclose(file);
            }
            *is_v2 = true;
        }
        snprintf(mount, size, "%s", where);
    }
    if (mounts != NULL) {
        fclose(mounts);
    }
    return found;
}

bool group_make(group *g, const char *resource, const char **why) {
    char mount[400], path[512], text[64];
    if (!find_mount(resource, mount, sizeof mount, &g->is_v2)) {
        *why = "no control groups for it are mounted";
        return false;
    }
    if (g->is_v2) {
        snprintf(path, sizeof path, "%s/cgroup.subtree_control", mount);
        snprintf(text, sizeof text, "+%s", resource);
        if (!write_text(path, text)) {
            *why = "the root of the control groups hands it to none";
            return false;
        }
    }
    snprintf(g->path, sizeof g->path, "%s/primepool-%d", mount, getpid());
    if (mkdir(g->path, 0755) != 0) {
        *why = "no control group may be made";
        return false;
    }
    return true;
}

bool group_set(const group *g, const char *file_v1, const char *file_v2, const char *text) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", g->path, g->is_v2 ? file_v2 : file_v1);
    return write_text(path, text);
}

long group_get(const group *g, const char *file_v1, const char *file_v2, const char *key) {
    char path[600], line[256];
    long value = -1;
    snprintf(path, sizeof path, "%s/%s", g->path, g->is_v2 ? file_v2 : file_v1);
    FILE *file = fopen(path, "re");
    while (file != NULL && value < 0 && fgets(line, sizeof line, file) != NULL) {
        const size_t length = strlen(key);
        if (strncmp(line, key, length) == 0 && (length == 0 || line[length] == ' ')) {
            value = strtol(line + length, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return value;
}

bool group_enter(const group *g) {
    return group_set(g, "cgroup.procs", "cgroup.procs", "0");
}

/* With `kills`, kills them. Zombies are not in cgroup.procs. */
static unsigned look_at_processes(const group *g, bool kills) {
    char path[600], line[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/cgroup.procs", g->path);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const pid_t pid = (pid_t)strtol(line, NULL, 10);
        if (pid > 1) {
            count++;
            if (kills) {
                kill(pid, SIGKILL);
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

unsigned group_remove(const group *g) {
    const int64_t until_ns = now_ns() + PATIENCE_NS;
    while (look_at_processes(g, false) > 0 && now_ns() < until_ns) {
        usleep(1000);
    }
    const unsigned left = look_at_processes(g, true);
    const int64_t end_ns = now_ns() + PATIENCE_NS;
    while (rmdir(g->path) != 0 && now_ns() < end_ns) {
        usleep(1000);
    }
    return left;
}
