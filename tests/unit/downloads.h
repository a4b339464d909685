/* What tests of downloads begin and end with: a server, a folder, the word to stop, settings. */
#ifndef TESTS_UNIT_DOWNLOADS_H
#define TESTS_UNIT_DOWNLOADS_H

#include "../check.h"
#include "../http_server.h"
#include "../scratch.h"

#include "download/connect_window.h"
#include "download/download.h"

typedef struct downloads {
    http_server *server;
    char path[SCRATCH_PATH]; /* of the folder */
    download_folder folder;
    download_stop stop;
    connect_window window;
    download_settings settings;  /* a test changes them before its first download */
    size_t descriptors, threads; /* before there was anything */
} downloads;

/* The script's context: shared memory, or as it is now. */
void downloads_begin(downloads *d, http_script *script, void *context);
/* Fails if a descriptor, a thread, a child or a temporary file remains, or a place in the window is missing. */
void downloads_end(downloads *d);

/* The flag is in the folder, and is this code's. */
bool downloads_has_flag(const downloads *d, country_code code);
/* How many files are in the folder, whatever they are. */
size_t downloads_files(const downloads *d);

void expect_status(const download_result *result, download_status wanted);
void expect_message(const download_result *result, const char *wanted);

#endif
