/* A control group of a test's own, of version 1 or 2. */
#ifndef TESTS_CHAOS_GROUP_H
#define TESTS_CHAOS_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct group {
    char path[512]; /* its folder */
    bool is_v2;
} group;

/* Makes one that limits the resource: "memory", "cpu" or "pids". False if the machine has none that this
 * process may make; *why says what was refused. */
bool group_make(group *g, const char *resource, const char **why);

/* Writes to one of its files: the name for version 1, and for version 2. False if it cannot. */
bool group_set(const group *g, const char *file_v1, const char *file_v2, const char *text);

/* The number behind `key` in one of its files ("" = the file's only number); -1 if there is none. */
long group_get(const group *g, const char *file_v1, const char *file_v2, const char *key);

/* The calling process is in it from now on, and so are its children. */
bool group_enter(const group *g);

/* Waits until no process is in it, and removes it. Returns how many had to be killed for that. */
unsigned group_remove(const group *g);

#endif
