/* The folder that images go to. A file appears in it whole or not at all: it is written under a
 * temporary name, ".BR.gif.NUMBER", and then renamed. The number is drawn for each run.
 *
 * Whoever has the folder open holds a shared lock on it. Who can have the lock alone knows that
 * temporary files found there were left by runs that were killed, and removes them.
 *
 * Any number of threads and processes may save to one download_folder, each code one at a time. */
#ifndef DOWNLOAD_FOLDER_H
#define DOWNLOAD_FOLDER_H

#include "download/country_codes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct download_folder {
    const char *path; /* the caller's, who keeps it */
    int fd;
    uint64_t run; /* the number in names of temporary files */
} download_folder;

/* Makes the folder, and those that it lies in, if missing. 0 or an error number. */
int download_folder_open(download_folder *folder, const char *path);

/* When all workers are gone. Removes what those have left that were killed, if nobody else uses the folder. */
void download_folder_close(download_folder *folder);

/* True if BR.gif is there, a file that begins as a GIF does. */
bool download_folder_has(const download_folder *folder, country_code code);

/* Replaces what had that name. With `sync` it is on the disk when the call returns. 0, or an error
 * number: then all is as it was, unless it is the folder that could not be synced. */
int download_folder_save(const download_folder *folder, country_code code, const void *data,
                         size_t size, bool sync);

#endif
