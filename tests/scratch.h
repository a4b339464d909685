/* A folder for one test, and looks at what is in it. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

#define SCRATCH_PATH 64 /* bytes that a path in it has at most here */

/* Makes one and writes its path; ends the process if that is impossible. */
void scratch_make(char path[SCRATCH_PATH]);
void scratch_remove(const char *path); /* with all that is in it */

/* The names in a folder in alphabetical order, "BR.gif DE.gif"; cut where there is no room. */
char *scratch_list(const char *folder, char *text, size_t size);

bool scratch_write(const char *folder, const char *name, const void *data, size_t size);
/* True if it is there and has this content. */
bool scratch_holds(const char *folder, const char *name, const void *data, size_t size);

#endif
