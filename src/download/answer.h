/* What a server sends, as libcurl hands it over, within limits: the last status line's words, what the headers
 * say that matters to us, the body. */
#ifndef DOWNLOAD_ANSWER_H
#define DOWNLOAD_ANSWER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_PHRASE_MAX  60                  /* bytes; the rest is cut off */
#define ANSWER_HEADERS_MAX ((size_t)300 << 10) /* bytes, redirects included */
#define ANSWER_NO_ADVICE   (-1)

typedef struct answer {
    CURL *easy;
    size_t limit;     /* bytes of a body */
    int64_t first_ns; /* the first time that something came of it; 0 before */
    int64_t
        heard_ns; /* the last time that the server was heard; transfer.c sets it when it is connected; 0 before */
    char phrase[ANSWER_PHRASE_MAX + 1]; /* "" if the status line has none */
    int64_t advice_s;                   /* Retry-After, 0 for a date that is past */
    size_t headers;                     /* bytes so far */
    bool headers_end;                   /* the empty line after them has come */
    long status;                        /* from then on */
    char *body;                         /* of a status 2xx: `size` of `room` bytes */
    size_t size, room;
    size_t dropped;   /* bytes of another status' body, which nobody wants; too many end it */
    char refusal[64]; /* why we ended it; "" if we did not */
} answer;

/* Makes the handle give what comes to the answer, which must stay where it is. */
void answer_attach(answer *answer, CURL *easy, size_t limit);

void answer_begin(answer *answer); /* another one; the body's room is kept */
void answer_free(answer *answer);

void answer_refuse(answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
