/* A file that appears whole or not at all: it is written under a temporary name, FILE.NUMBER, and then renamed. So
 * a reader never sees half of it, and a full disk does not cost the file that was there.
 *
 * What is no regular file (a pipe, a device, a link), or lies in a folder where no file can be made, is written in
 * place.
 *
 * A call that fails is remembered, the later ones do nothing, and whole_file_close tells. */
#ifndef PROGRAMS_WHOLE_FILE_H
#define PROGRAMS_WHOLE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct whole_file {
    const char *path; /* the caller's, who keeps it */
    int fd;
    int problem;              /* error number of what failed first */
    char temporary[PATH_MAX]; /* empty: written in place */
    size_t used;
    char buffer[65536];
} whole_file;

void whole_file_open(whole_file *file, const char *path);
void whole_file_write(whole_file *file, const void *data, size_t size);
void whole_file_text(whole_file *file, const char *text);
void whole_file_number(whole_file *file, int64_t number); /* in decimal */
/* False: errno tells why, and the file is as it was (in place: cut off somewhere). */
bool whole_file_close(whole_file *file);

#endif
