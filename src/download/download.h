/* What is to be downloaded, how, and the result: the types that all files of this folder share.
 *
 * The folder prints nothing: reports and the progress bar are in programs/flags. So it serves
 * any program, as primes/ does. */
#ifndef DOWNLOAD_DOWNLOAD_H
#define DOWNLOAD_DOWNLOAD_H

#include "download/connect_window.h"
#include "download/country_codes.h"
#include "download/folder.h"
#include "download/stop.h"
#include "download/trust_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum download_status {
    DOWNLOAD_LEFT, /* told to stop, before or while it was asked for */
    DOWNLOAD_OK,
    DOWNLOAD_EXISTING, /* was there, and was not asked for */
    DOWNLOAD_NOT_FOUND,
    DOWNLOAD_ERROR,
} download_status;

/* One request for a flag, with all redirects. Times are those of plat_now_ns. */
typedef struct download_attempt {
    int64_t begun_ns;
    int64_t first_byte_ns; /* of the answer; 0 = none came */
    int64_t ended_ns; /* the answer is judged, and the flag saved; or the attempt was broken off */
    uint32_t number;  /* from 1 */
    uint32_t
        worker; /* of the pool; without a pool the connection: the lowest number that is free */
    int32_t http_status; /* 0 = no answer */
    int32_t curl_code;   /* 0 = there is an answer, of whatever status */
} download_attempt;

/* Of more attempts the last one replaces the one before it. */
#define DOWNLOAD_ATTEMPTS_KEPT 16

/* Plain data: it travels between processes. */
typedef struct download_result {
    country_code code;
    download_status status;
    long http_status;   /* of the last answer, 0 without one */
    unsigned attempts;  /* begun */
    unsigned kept;      /* attempts that have ended and are below */
    size_t size;        /* bytes saved */
    int64_t elapsed_ns; /* from the first attempt to the end, pauses and saving included */
    int output_error;   /* if `saved` could not print: its error number; status is DOWNLOAD_ERROR */
    char message[384];  /* DOWNLOAD_ERROR: why */
    download_attempt attempt[DOWNLOAD_ATTEMPTS_KEPT];
} download_result;

/* The same for all downloads of a run; none of it changes meanwhile, and all that is pointed at stays. */
typedef struct download_settings {
    const char *site; /* BR is at SITE/br/br.gif; no / at its end */
    const download_folder *folder;
    const download_stop *stop;
    connect_window *window; /* of all threads; NULL: connections are opened all at once */
    trust_store *trust;     /* what certificates are checked against; shared by all workers */
    int64_t begun_ns;       /* when the run began; 0: no server on this machine is waited for */
    int64_t timeout_ns;     /* most time to connect, and of silence from then on; above 0 */
    int64_t deadline_ns;    /* most time for one attempt, and for one pause between two; above 0 */
    size_t size_limit;      /* bytes of a body; longer ones are errors */
    unsigned retries;       /* attempts after the first, for what may be different next time */
    bool sync;              /* saved means: on the disk */
    bool skip_existing;
    bool allow_downgrade; /* https may lead to http */
    bool ends_with_error; /* the first error stops the run, and what is not found is an error */

    /* Called by the worker that saved it, in its thread or process (download_many_async: by the thread that
     * collects); 0 or an error number. NULL = no call. */
    int (*saved)(country_code code);

    /* Called by the thread or process that asks for a code, when it begins and when it is done. NULL = no call. */
    void (*moved)(country_code code, bool begun);
} download_settings;

/* Once, at the start of a program, before there are threads: libcurl and the heap get ready, and a file over
 * the limit of sizes becomes an error of write. False if libcurl cannot be used. */
bool download_prepare(void);
void download_finish(void);

#endif
