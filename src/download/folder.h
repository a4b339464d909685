/* The folder that images go to. A file appears in it whole or not at all: it is written under a
 * temporary name, ".BR.gif.NUMBER", and then renamed. The number is drawn for each file.
 *
 * A worker holds a lock (flock) on the temporary file while it writes. The lock ends with the worker,
 * however that ends. So a temporary file without a lock is left by a worker that was killed, and each
 * run removes such files when it opens and when it closes the folder.
 *
 * No run ever waits for a lock, and none locks the folder itself: `flock DIR PROGRAM --dest=DIR` is a
 * usual guard against two runs at once, which holds the lock on the folder while PROGRAM runs.
 *
 * Any number of threads and processes may save to one download_folder, each code one at a time. */
#ifndef DOWNLOAD_FOLDER_H
#define DOWNLOAD_FOLDER_H

#include "download/country_codes.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct download_folder {
    const char *path; /* the caller's, who keeps it */
    int fd;
} download_folder;

/* Makes the folder, and those that it lies in, if missing. 0 or an error number. */
int download_folder_open(download_folder *folder, const char *path);

/* Call it when all workers are gone: it also removes the temporary files that killed workers have left. */
void download_folder_close(download_folder *folder);

/* True if BR.gif is there, a file that begins as a GIF does. */
bool download_folder_has(const download_folder *folder, country_code code);

/* Replaces what had that name. With `sync` it is on the disk when the call returns. 0, or an error
 * number: then all is as it was, unless it is the folder that could not be synced. */
int download_folder_save(const download_folder *folder, country_code code, const void *data,
                         size_t size, bool sync);

#endif
