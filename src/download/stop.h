/* The word to stop, which reaches whoever waits for the network: an eventfd that is readable from then
 * on. It is made before the workers, so that worker processes have it too, and is only ever set. */
#ifndef DOWNLOAD_STOP_H
#define DOWNLOAD_STOP_H

#include <stdbool.h>

typedef struct download_stop {
    int fd;
} download_stop;

int download_stop_open(download_stop *stop); /* 0 or an error number */
void download_stop_close(download_stop *stop);

/* From any thread or process, any number of times. */
void download_stop_request(const download_stop *stop);
bool download_stop_requested(const download_stop *stop);

#endif
