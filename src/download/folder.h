/* The folder that images go to. A file appears in it whole or not at all: it is written under a
 * temporary name, ".BR.gif.NUMBER", and then renamed. The number is drawn for each run.
 *
 * A run holds a shared lock on the folder while it has it open. If a run gets the exclusive
 * lock, no other run uses the folder: temporary files in it were left by killed runs, and are
 * removed.
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

/* Call it when all workers are gone. If no other run uses the folder, it removes the temporary
 * files that killed workers have left. */
void download_folder_close(download_folder *folder);

/* True if BR.gif is there, a file that begins as a GIF does. */
bool download_folder_has(const download_folder *folder, country_code code);

/* Replaces what had that name. With `sync` it is on the disk when the call returns. 0, or an error
 * number: then all is as it was, unless it is the folder that could not be synced. */
int download_folder_save(const download_folder *folder, country_code code, const void *data,
                         size_t size, bool sync);

#endif
