#include "download/answer.h"

#include "platform/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_ROOM ((size_t)64 << 10)

void answer_refuse(answer *a, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(a->refusal, sizeof a->refusal, format, values);
    va_end(values);
}

static void hear(answer *a) {
    a->heard_ns = plat_now_ns();
    a->first_ns = a->first_ns > 0 ? a->first_ns : a->heard_ns;
}

/* ---- headers ----------------------------------------------------------------------------------- */

static size_t skip_word(const char *line, size_t length, size_t at) {
    while (at < length && line[at] != ' ') {
        at++;
    }
    while (at < length && line[at] == ' ') {
        at++;
    }
    return at;
}

/* "HTTP/1.1 404 Not Found\r\n"; a server may send anything, and a terminal shows it. */
static void take_status_line(answer *a, const char *line, size_t length) {
    size_t at = skip_word(line, length, skip_word(line, length, 0));
    size_t kept = 0;
    while (at < length && line[at] != '\r' && line[at] != '\n' && kept < ANSWER_PHRASE_MAX) {
        a->phrase[kept++] = line[at] >= ' ' && line[at] <= '~' ? line[at] : '?';
        at++;
    }
    a->phrase[kept] = '\0';
    a->advice_s = ANSWER_NO_ADVICE;
    a->headers_end = false;
}

#define SECONDS_MAX INT32_MAX /* longer than any run */

/* False if the value is not a number. */
static bool parse_seconds(const char *value, size_t length, int64_t *seconds) {
    *seconds = 0;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return false;
        }
        *seconds = 10 * *seconds + (value[i] - '0');
        if (*seconds > SECONDS_MAX) {
            *seconds = SECONDS_MAX;
        }
    }
    return length > 0;
}

/* Seconds or a date (RFC 9110, 10.2.3); anything else is no advice. */
static void take_retry_after(answer *a, const char *value, size_t length) {
    char text[64];
    while (length > 0 && (*value == ' ' || *value == '\t')) {
        value++, length--;
    }
    while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL) {
        length--;
    }
    int64_t seconds;
    if (parse_seconds(value, length, &seconds)) {
        a->advice_s = seconds;
        return;
    }
    if (length == 0 || length >= sizeof text) {
        return;
    }
    memcpy(text, value, length);
    text[length] = '\0';
    const time_t now = time(NULL), date = curl_getdate(text, NULL);
    if (date != -1) {
        a->advice_s = date > now ? date - now : 0;
    }
}

/* After the empty line another answer begins if the status was 1xx or 3xx. Otherwise what comes is the trailer,
 * which may have any line. */
static bool is_in_trailer(const answer *a) {
    return a->headers_end && a->status >= 200 && a->status / 100 != 3;
}

static size_t on_header(char *line, size_t one, size_t length, void *user) {
    static const char RETRY_AFTER[] = "Retry-After:";
    (void)one;
    answer *a = user;
    hear(a);
    a->headers += length;
    if (a->headers > ANSWER_HEADERS_MAX) {
        answer_refuse(a, "more than %zu bytes of headers", ANSWER_HEADERS_MAX);
        return 0;
    }
    if (is_in_trailer(a)) {
        return length;
    }
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0) {
        take_status_line(a, line, length);
    } else if (line[0] == '\r' || line[0] == '\n') {
        curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &a->status);
        a->headers_end = true;
    } else if (length > strlen(RETRY_AFTER) &&
               strncasecmp(line, RETRY_AFTER, strlen(RETRY_AFTER)) == 0) {
        take_retry_after(a, line + strlen(RETRY_AFTER), length - strlen(RETRY_AFTER));
    }
    return length;
}

/* ---- the body ---------------------------------------------------------------------------------- */

static bool make_room(answer *a, size_t size) {
    if (size <= a->room) {
        return true;
    }
    size_t room = a->room == 0 ? FIRST_ROOM : a->room;
    while (room < size) {
        room *= 2;
    }
    char *body = realloc(a->body, room);
    if (body == NULL) {
        answer_refuse(a, "out of memory");
        return false;
    }
    a->body = body;
    a->room = room;
    return true;
}

/* Also one that only says that it will be. */
static bool is_too_long(const answer *a, size_t length) {
    curl_off_t announced = -1;
    curl_easy_getinfo(a->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    return length > a->limit - a->size || (announced > 0 && (uint64_t)announced > a->limit);
}

static size_t drop(answer *a, size_t length) {
    a->dropped += length;
    return a->dropped > a->limit ? 0 : length;
}

/* Less than `length` ends the transfer. */
static size_t on_body(char *data, size_t one, size_t length, void *user) {
    (void)one;
    answer *a = user;
    hear(a);
    long status = 0;
    curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2) {
        return drop(a, length);
    }
    if (is_too_long(a, length)) {
        answer_refuse(a, "larger than %zu bytes", a->limit);
        return 0;
    }
    if (!make_room(a, a->size + length)) {
        return 0;
    }
    memcpy(a->body + a->size, data, length);
    a->size += length;
    return length;
}

/* ---- one after the other ----------------------------------------------------------------------- */

void answer_attach(answer *a, CURL *easy, size_t limit) {
    a->easy = easy;
    a->limit = limit;
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, a);
}

void answer_begin(answer *a) {
    *a = (answer){
        .easy = a->easy,
        .limit = a->limit,
        .advice_s = ANSWER_NO_ADVICE,
        .body = a->body,
        .room = a->room,
    };
}

void answer_free(answer *a) {
    free(a->body);
}
