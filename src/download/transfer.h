/* One download: a GET by a libcurl handle of its own, which it keeps for the next one, and what is made of
 * the answer. What drives the handle, on a multi handle, is transfers.c. */
#ifndef DOWNLOAD_TRANSFER_H
#define DOWNLOAD_TRANSFER_H

#include "download/answer.h"
#include "download/download.h"
#include "download/opening.h"

typedef struct transfer {
    const download_settings *settings;
    CURL *easy;
    bool fresh;      /* on a new connection, as the server had closed one that was kept */
    bool only_https; /* from here on */
    bool again; /* the attempt that comes is not a new one: nothing came of what it had asked */
    unsigned shared_again; /* how often that was on a connection that may be shared */
    unsigned unsent;       /* how often the request could not be sent on one */
    opening opening;
    answer answer; /* of the last attempt */
    download_result result;
    int64_t begun_ns;
    int64_t attempt_ns;  /* when the attempt that is under way began; 0 = none is */
    unsigned connection; /* its number */
    int64_t connect_ns;  /* since when it has tried to connect */
    int64_t retry_ns;    /* the next attempt's time, while it pauses */
    char curl_error[CURL_ERROR_SIZE];
} transfer;

/* False if memory is short. */
bool transfer_create(transfer *transfer, const download_settings *settings, openings *all);
void transfer_destroy(transfer *transfer);

void transfer_begin(transfer *transfer, country_code code);

/* Gets `easy` ready for one GET of it. False if memory is short. */
bool transfer_begin_attempt(transfer *transfer);

/* The attempt's end, by itself or broken off. True if another one is to begin, at `retry_ns`; else the
 * result says how the download ended, and a good body is saved. */
bool transfer_end_attempt(transfer *transfer, CURLcode code);

/* When the attempt is to end, if libcurl has not ended it by then. */
int64_t transfer_due_ns(const transfer *transfer);

/* That time has come; then as above. */
bool transfer_end_late(transfer *transfer);

/* The server has dropped the connection that the attempt was opening; then as above. */
bool transfer_end_dropped(transfer *transfer);

/* Ends it in another way than by an answer: `message` is for DOWNLOAD_ERROR, else NULL. */
void transfer_settle(transfer *transfer, download_status status, const char *message);

#endif
