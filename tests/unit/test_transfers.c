/* What becomes of one download, whatever the server does, and of some at once on one thread. */
#include "downloads.h"

#include "download/transfers.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(transfers, .timeout = TEST_SECONDS);

#define PAST "Fri, 31 Dec 1999 23:59:59 GMT" /* Retry-After: at once */

static const country_code AA = {"AA"}, BB = {"BB"};

/* More than any delay of a busy machine, and less than the waits that must not happen. */
#define SOON (5 * SECOND)

/* ---- scripts --------------------------------------------------------------------------------- */

/* The context is a reply, given each time. */
static reply the_same(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)code, (void)nth, (void)arrival;
    return *(const reply *)context;
}

/* The context are replies, the nth for the nth request; after those all is well. */
typedef struct replies {
    unsigned count;
    reply of[4];
} replies;

static reply one_by_one(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)code, (void)arrival;
    const replies *r = context;
    return nth <= r->count ? r->of[nth - 1] : (reply){0};
}

static const reply SILENT = {.silent = true};

/* ---- one download ---------------------------------------------------------------------------- */

static download_result take(transfers *some, country_code code) {
    download_result result, none;
    transfers_begin(some, code);
    cr_assert(transfers_next(some, &result));
    cr_assert(!transfers_next(some, &none));
    cr_assert_str_eq(result.code.text, code.text);
    return result;
}

static download_result download(const downloads *d, country_code code) {
    transfers *one = transfers_create(&d->settings, 1);
    cr_assert(one != NULL);
    const int64_t start = now_ns();
    const download_result result = take(one, code);
    cr_assert(result.elapsed_ns >= 0 && result.elapsed_ns <= now_ns() - start);
    transfers_destroy(one);
    return result;
}

/* One after the other, each with its times in their order. */
static void expect_attempts(const download_result *result, unsigned attempts) {
    int64_t since_ns = 0;
    EXPECT_EQ(result->kept, attempts);
    for (unsigned i = 0; i < result->kept; i++) {
        const download_attempt *attempt = &result->attempt[i];
        EXPECT_EQ(attempt->number, i + 1);
        cr_assert(attempt->begun_ns > since_ns && attempt->ended_ns >= attempt->begun_ns);
        cr_assert(attempt->first_byte_ns == 0 || (attempt->first_byte_ns >= attempt->begun_ns &&
                                                  attempt->first_byte_ns <= attempt->ended_ns));
        cr_assert((attempt->first_byte_ns > 0) >= (attempt->http_status > 0));
        since_ns = attempt->ended_ns;
    }
    cr_assert(since_ns - result->attempt[0].begun_ns <= result->elapsed_ns);
}

static void expect_times(const downloads *d, const download_result *result, unsigned attempts) {
    EXPECT_EQ(result->attempts, attempts);
    expect_attempts(result, attempts);
    EXPECT_EQ(http_server_requests_of(d->server, result->code), attempts);
}

Test(transfers, saves_a_flag) {
    downloads d;
    downloads_begin(&d, one_by_one, &(replies){0});
    const download_result result = download(&d, AA);
    expect_status(&result, DOWNLOAD_OK);
    EXPECT_EQ(result.http_status, 200);
    EXPECT_EQ(result.size, FLAG_SIZE);
    EXPECT_EQ(result.output_error, 0);
    cr_assert_str_empty(result.message);
    expect_times(&d, &result, 1);
    cr_assert(downloads_has_flag(&d, AA));
    EXPECT_EQ(downloads_files(&d), 1);
    downloads_end(&d);
}

/* ---- answers, each for its own code ---------------------------------------------------------- */

typedef struct outcome {
    reply how;
    download_status status;
    long http_status;
    const char *message;
} outcome;

static const outcome OUTCOMES[] = {
    {{.size = 2 << 20}, DOWNLOAD_ERROR, 200, "larger than 1048576 bytes"},
    {{0}, DOWNLOAD_OK, 200, ""},
    {{.unsized = true}, DOWNLOAD_OK, 200, ""},
    {{.size = 5000}, DOWNLOAD_OK, 200, ""}, /* what is behind the end is allowed */
    {{.status = 201}, DOWNLOAD_OK, 201, ""},
    {{.header = "Connection", .text = "close"}, DOWNLOAD_OK, 200, ""},
    {{.status = 404}, DOWNLOAD_NOT_FOUND, 404, ""},
    {{.status = 404, .body = ""}, DOWNLOAD_NOT_FOUND, 404, ""},
    {{.status = 204, .body = ""}, DOWNLOAD_ERROR, 204, "empty body"},
    {{.body = ""}, DOWNLOAD_ERROR, 200, "empty body"},
    {{.body = "<html>Flags are out.</html>"}, DOWNLOAD_ERROR, 200, "not a GIF"},
    {{.body = "GIF89a", .size = 40}, DOWNLOAD_ERROR, 200, "broken GIF"},
    {{.status = 304, .body = ""}, DOWNLOAD_ERROR, 304, "HTTP error 304 - Not Modified"},
    {{.status = 403}, DOWNLOAD_ERROR, 403, "HTTP error 403 - Forbidden"},
    {{.status = 410}, DOWNLOAD_ERROR, 410, "HTTP error 410 - Gone"},
    {{.status = 500}, DOWNLOAD_ERROR, 500, "HTTP error 500 - Internal Server Error"},
    {{.status = 503}, DOWNLOAD_ERROR, 503, "HTTP error 503 - Service Unavailable"},
    {{.hangs_up = true}, DOWNLOAD_ERROR, 0, "Empty reply from server"},
    {{.size = 1000, .cut = 100},
     DOWNLOAD_ERROR,
     200,
     "transfer closed with 900 bytes remaining to read"},
    {{.unsized = true, .size = 1000, .cut = 100},
     DOWNLOAD_ERROR,
     200,
     "transfer closed with outstanding read data remaining"},
    {{.status = 301, .header = "Location", .text = "file:///etc/passwd"},
     DOWNLOAD_ERROR,
     301,
     "Protocol \"file\" not supported or disabled in libcurl"},
    {{.status = 302, .header = "Location", .text = "ftp://127.0.0.1/"},
     DOWNLOAD_ERROR,
     302,
     "Protocol \"ftp\" not supported or disabled in libcurl"},
};

static country_code code_of(size_t index) {
    return (country_code){{(char)('A' + index / 26), (char)('A' + index % 26), '\0'}};
}

static reply as_in_table(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)nth, (void)arrival;
    return OUTCOMES[(size_t)(code.text[0] - 'A') * 26 + (size_t)(code.text[1] - 'A')].how;
}

static void expect_outcome(const downloads *d, const download_result *result,
                           const outcome *wanted) {
    expect_status(result, wanted->status);
    EXPECT_EQ(result->http_status, wanted->http_status);
    cr_assert_str_eq(result->message, wanted->message);
    char name[16];
    struct stat status;
    snprintf(name, sizeof name, "%s.gif", result->code.text);
    const bool saved = fstatat(d->folder.fd, name, &status, 0) == 0;
    EXPECT_EQ(saved, wanted->status == DOWNLOAD_OK);
    EXPECT_EQ(result->size, saved ? status.st_size : 0);
}

/* Twice, by the same handle: nothing of an answer is left for the next one. */
Test(transfers, answers) {
    downloads d;
    downloads_begin(&d, as_in_table, NULL);
    transfers *one = transfers_create(&d.settings, 1);
    for (unsigned round = 1; round <= 2; round++) {
        for (size_t i = 0; i < COUNT_OF(OUTCOMES); i++) {
            const download_result result = take(one, code_of(i));
            expect_outcome(&d, &result, &OUTCOMES[i]);
            EXPECT_EQ(result.attempts, 1);
        }
    }
    transfers_destroy(one);
    downloads_end(&d);
}

Test(transfers, answers_all_at_once) {
    downloads d;
    downloads_begin(&d, as_in_table, NULL);
    transfers *all = transfers_create(&d.settings, COUNT_OF(OUTCOMES));
    for (size_t i = 0; i < COUNT_OF(OUTCOMES); i++) {
        transfers_begin(all, code_of(i));
    }
    bool seen[COUNT_OF(OUTCOMES)] = {false};
    download_result result;
    for (size_t left = COUNT_OF(OUTCOMES); left > 0; left--) {
        cr_assert(transfers_next(all, &result));
        const size_t i = (size_t)(result.code.text[1] - 'A');
        cr_assert(!seen[i]);
        seen[i] = true;
        expect_outcome(&d, &result, &OUTCOMES[i]);
    }
    cr_assert(!transfers_next(all, &result));
    transfers_destroy(all);
    downloads_end(&d);
}

Test(transfers, not_found_may_be_an_error) {
    downloads d;
    downloads_begin(&d, the_same, &(reply){.status = 404});
    d.settings.ends_with_error = true;
    const download_result first = download(&d, AA);
    expect_message(&first, "HTTP error 404 - Not Found");
    cr_assert(download_stop_requested(&d.stop)); /* the first error ends all */
    const download_result second = download(&d, BB);
    expect_status(&second, DOWNLOAD_LEFT);
    expect_times(&d, &second, 0);
    downloads_end(&d);
}

Test(transfers, nobody_listens) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    const int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* keeps its port free */
    cr_assert(bind(bound, (struct sockaddr *)&own, sizeof own) == 0);
    cr_assert(getsockname(bound, (struct sockaddr *)&own, &length) == 0);
    char site[64], wanted[64];
    snprintf(site, sizeof site, "http://127.0.0.1:%u", ntohs(own.sin_port));
    snprintf(wanted, sizeof wanted, "Failed to connect to 127.0.0.1 port %u", ntohs(own.sin_port));

    downloads d;
    downloads_begin(&d, the_same, (void *)&SILENT);
    d.settings.site = site;
    d.settings.retries = 5;
    const download_result result = download(&d, AA);
    expect_status(&result, DOWNLOAD_ERROR);
    cr_assert(strncmp(result.message, wanted, strlen(wanted)) == 0, "%s", result.message);
    EXPECT_EQ(result.attempts, 1); /* that would be no different */
    EXPECT_EQ(result.http_status, 0);
    downloads_end(&d);
    close(bound);
}

/* ---- redirects ------------------------------------------------------------------------------- */

Test(transfers, redirects_are_followed) {
    downloads d;
    replies once = {1, {{.status = 301, .header = "Location", .text = "/flags/aa/aa.gif"}}};
    downloads_begin(&d, one_by_one, &once);
    const download_result result = download(&d, AA);
    expect_status(&result, DOWNLOAD_OK);
    EXPECT_EQ(result.http_status, 200);
    EXPECT_EQ(result.attempts, 1);
    EXPECT_EQ(http_server_requests_of(d.server, AA), 2);
    cr_assert(downloads_has_flag(&d, AA));
    downloads_end(&d);
}

Test(transfers, redirects_have_an_end) {
    downloads d;
    downloads_begin(&d, the_same,
                    &(reply){.status = 302, .header = "Location", .text = "/flags/aa/aa.gif"});
    d.settings.retries = 3;
    const download_result result = download(&d, AA);
    expect_message(&result, "Maximum (20) redirects followed");
    EXPECT_EQ(result.attempts, 1);
    EXPECT_EQ(http_server_requests_of(d.server, AA), 21);
    downloads_end(&d);
}

/* ---- the size limit -------------------------------------------------------------------------- */

static void check_size_limit(bool unsized) {
    downloads d;
    downloads_begin(&d, the_same, &(reply){.size = 70000, .unsized = unsized});
    d.settings.retries = 3;
    d.settings.size_limit = 70000;
    const download_result fits = download(&d, AA);
    expect_status(&fits, DOWNLOAD_OK);
    EXPECT_EQ(fits.size, 70000);
    d.settings.size_limit = 69999;
    const download_result larger = download(&d, BB);
    expect_message(&larger, "larger than 69999 bytes");
    expect_times(&d, &larger, 1);
    EXPECT_EQ(downloads_files(&d), 1);
    downloads_end(&d);
}

Test(transfers, size_limit) {
    check_size_limit(false);
    check_size_limit(true);
}

/* ---- time limits ----------------------------------------------------------------------------- */

static void expect_ended_after(const download_result *result, int64_t limit_ns) {
    cr_assert(result->elapsed_ns >= limit_ns && result->elapsed_ns < limit_ns + SOON,
              "ended after %.3f s", (double)result->elapsed_ns / SECOND);
}

Test(transfers, silence_instead_of_an_answer) {
    downloads d;
    downloads_begin(&d, the_same, (void *)&SILENT);
    d.settings.timeout_ns = 250 * MILLISECOND;
    const download_result result = download(&d, AA);
    expect_message(&result, "nothing received for 0.25 seconds");
    expect_ended_after(&result, 250 * MILLISECOND);
    EXPECT_EQ(result.http_status, 0);
    expect_times(&d, &result, 1);
    downloads_end(&d);
}

Test(transfers, silence_in_the_middle) {
    downloads d;
    downloads_begin(&d, the_same, &(reply){.size = 1000, .cut = 500, .stalls = true});
    d.settings.timeout_ns = 250 * MILLISECOND;
    const download_result result = download(&d, AA);
    expect_message(&result, "nothing received for 0.25 seconds");
    expect_ended_after(&result, 250 * MILLISECOND);
    EXPECT_EQ(result.http_status, 200);
    EXPECT_EQ(downloads_files(&d), 0);
    downloads_end(&d);
}

/* Longer than the limit, and never silent for so long. */
Test(transfers, slow_is_not_silent) {
    downloads d;
    downloads_begin(&d, the_same, &(reply){.size = 1000, .pause_ns = 80 * MILLISECOND});
    d.settings.timeout_ns = 600 * MILLISECOND;
    const download_result result = download(&d, AA);
    expect_status(&result, DOWNLOAD_OK);
    cr_assert(result.elapsed_ns > d.settings.timeout_ns);
    downloads_end(&d);
}

/* However much comes. */
Test(transfers, deadline) {
    downloads d;
    downloads_begin(&d, the_same, &(reply){.size = 100000, .pause_ns = 100 * MILLISECOND});
    d.settings.deadline_ns = 300 * MILLISECOND;
    const download_result result = download(&d, AA);
    expect_status(&result, DOWNLOAD_ERROR);
    cr_assert(strncmp(result.message, "Operation timed out after ", 26) == 0, "%s", result.message);
    expect_ended_after(&result, 295 * MILLISECOND); /* libcurl's clock has milliseconds */
    EXPECT_EQ(downloads_files(&d), 0);
    downloads_end(&d);
}

/* Of the others some end in time, some are silent: each has a limit of its own. */
static reply every_second_silent(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)nth, (void)arrival;
    return (reply){.silent = code.text[1] % 2 == 0};
}

Test(transfers, silence_of_some) {
    downloads d;
    downloads_begin(&d, every_second_silent, NULL);
    d.settings.timeout_ns = 300 * MILLISECOND;
    transfers *some = transfers_create(&d.settings, 8);
    for (size_t i = 0; i < 8; i++) {
        transfers_begin(some, code_of(i));
    }
    download_result result;
    for (size_t count = 0; count < 8; count++) {
        cr_assert(transfers_next(some, &result));
        expect_status(&result, count < 4 ? DOWNLOAD_OK : DOWNLOAD_ERROR); /* as completed */
        EXPECT_EQ(result.code.text[1] % 2 == 0, count >= 4);
    }
    transfers_destroy(some);
    downloads_end(&d);
}

/* ---- another attempt ------------------------------------------------------------------------- */

/* Fails `times`, then all is well. */
static void check_retries(reply failure, unsigned times, unsigned retries, const char *message) {
    replies script = {times, {failure, failure, failure, failure}};
    downloads d;
    downloads_begin(&d, one_by_one, &script);
    d.settings.retries = retries;
    const download_result result = download(&d, AA);
    if (message != NULL) {
        expect_message(&result, message);
        expect_times(&d, &result, retries + 1);
        EXPECT_EQ(downloads_files(&d), 0);
    } else {
        expect_status(&result, DOWNLOAD_OK);
        expect_times(&d, &result, times + 1);
        EXPECT_EQ(result.http_status, 200);
        cr_assert(downloads_has_flag(&d, AA));
    }
    cr_assert(result.elapsed_ns < SOON);
    downloads_end(&d);
}

Test(transfers, so_many_retries_and_no_more) {
    const reply busy = {.status = 503, .header = "Retry-After", .text = PAST};
    check_retries(busy, 2, 3, NULL);
    check_retries(busy, 2, 2, NULL);
    check_retries(busy, 2, 1, "HTTP error 503 - Service Unavailable");
    check_retries(busy, 1, 0, "HTTP error 503 - Service Unavailable");
}

Test(transfers, statuses_that_may_change) {
    static const unsigned MAY[] = {408, 429, 500, 502, 503, 504},
                          MAY_NOT[] = {400, 401, 403, 404, 405, 410, 418, 501, 505, 599};
    for (size_t i = 0; i < COUNT_OF(MAY); i++) {
        check_retries((reply){.status = MAY[i], .header = "Retry-After", .text = PAST}, 1, 1, NULL);
    }
    for (size_t i = 0; i < COUNT_OF(MAY_NOT); i++) {
        downloads d;
        downloads_begin(&d, the_same,
                        &(reply){.status = MAY_NOT[i], .header = "Retry-After", .text = PAST});
        d.settings.retries = 3;
        const download_result result = download(&d, AA);
        expect_status(&result, MAY_NOT[i] == 404 ? DOWNLOAD_NOT_FOUND : DOWNLOAD_ERROR);
        expect_times(&d, &result, 1);
        downloads_end(&d);
    }
}

Test(transfers, what_was_dropped_is_asked_for_again) {
    check_retries((reply){.hangs_up = true}, 1, 1, NULL);
    check_retries((reply){.size = 1000, .cut = 10}, 1, 1, NULL);
    check_retries((reply){.unsized = true, .size = 1000, .cut = 10}, 1, 1, NULL);
    check_retries((reply){.hangs_up = true}, 2, 1, "Empty reply from server");
}

Test(transfers, bad_bodies_are_not_asked_for_again) {
    static const reply BAD[] = {{.body = ""}, {.body = "<html>"}, {.body = "GIF89a", .size = 50}};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        downloads d;
        replies once = {1, {BAD[i]}};
        downloads_begin(&d, one_by_one, &once);
        d.settings.retries = 3;
        const download_result result = download(&d, AA);
        expect_status(&result, DOWNLOAD_ERROR);
        expect_times(&d, &result, 1);
        downloads_end(&d);
    }
}

Test(transfers, after_silence_another_attempt) {
    downloads d;
    replies once = {1, {{.size = 1000, .cut = 500, .stalls = true}}};
    downloads_begin(&d, one_by_one, &once);
    d.settings.timeout_ns = 200 * MILLISECOND;
    d.settings.retries = 1;
    const download_result result = download(&d, AA);
    expect_status(&result, DOWNLOAD_OK);
    expect_times(&d, &result, 2);
    EXPECT_EQ(result.size, FLAG_SIZE); /* of the second answer alone */
    cr_assert(downloads_has_flag(&d, AA));
    downloads_end(&d);
}

/* Side by side, each for its own code: `first`, a pause of at least so long, in one case `second` and
 * another pause; then all is well. No pause is longer than the deadline. */
#define BUSY(advice)                                                                               \
    { .status = 503, .header = "Retry-After", .text = advice }
#define PAUSE_LIMIT (3 * SECOND / 2)

static const struct {
    reply first, second;
    int64_t least_ns;
} PAUSES[] = {
    {.first = {.status = 503}, .least_ns = SECOND / 4},
    {.first = BUSY("some day"), .least_ns = SECOND / 4},
    {.first = BUSY("1"), .least_ns = SECOND},
    {.first = BUSY("3600"), .least_ns = PAUSE_LIMIT},
    {.first = BUSY(PAST), .least_ns = 0},
    {.first = BUSY(PAST),
     .second = {.status = 503},
     .least_ns = SECOND / 2}, /* advice is for once */
};

static reply busy_as_in_table(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)arrival;
    const size_t i = (size_t)(code.text[1] - 'A');
    return nth == 1 ? PAUSES[i].first : nth == 2 ? PAUSES[i].second : (reply){0};
}

Test(transfers, pauses) {
    downloads d;
    downloads_begin(&d, busy_as_in_table, NULL);
    d.settings.retries = 2;
    d.settings.deadline_ns = PAUSE_LIMIT;
    transfers *all = transfers_create(&d.settings, COUNT_OF(PAUSES));
    for (size_t i = 0; i < COUNT_OF(PAUSES); i++) {
        transfers_begin(all, code_of(i));
    }
    download_result result;
    while (transfers_next(all, &result)) {
        const size_t i = (size_t)(result.code.text[1] - 'A');
        expect_status(&result, DOWNLOAD_OK);
        expect_times(&d, &result, PAUSES[i].second.status == 0 ? 2 : 3);
        expect_ended_after(&result, PAUSES[i].least_ns);
        EXPECT_EQ(result.attempt[0].http_status, 503);
        cr_assert(result.attempt[0].worker < COUNT_OF(PAUSES));
    }
    EXPECT_EQ(downloads_files(&d), COUNT_OF(PAUSES));
    transfers_destroy(all);
    downloads_end(&d);
}

/* A download's advice does not concern the next one by the same handle. */
Test(transfers, advice_is_for_one_download) {
    downloads d;
    reply *how = shared_alloc(sizeof *how);
    *how = (reply){.status = 503, .header = "Retry-After", .text = PAST};
    downloads_begin(&d, the_same, how);
    d.settings.retries = 1;
    transfers *one = transfers_create(&d.settings, 1);
    const download_result first = take(one, AA);
    EXPECT_EQ(first.attempts, 2);
    how->header = NULL;
    const download_result second = take(one, BB);
    EXPECT_EQ(second.attempts, 2);
    cr_assert(second.elapsed_ns >= SECOND / 4, "advice of old: %.3f s",
              (double)second.elapsed_ns / SECOND);
    transfers_destroy(one);
    downloads_end(&d);
    shared_free(how, sizeof *how);
}

/* ---- to stop --------------------------------------------------------------------------------- */

typedef struct stopper {
    pthread_t thread;
    downloads *d;
    uint32_t requests; /* that it waits for */
    int64_t stopped_ns;
} stopper;

static void *stop_after_requests(void *context) {
    stopper *s = context;
    cr_assert(counter_wait(&s->d->server->requests, s->requests));
    s->stopped_ns = now_ns();
    download_stop_request(&s->d->stop);
    return NULL;
}

static void check_stop(const reply *how) {
    enum {
        COUNT = 5
    };
    downloads d;
    downloads_begin(&d, the_same, (void *)how);
    d.settings.retries = 3;
    transfers *some = transfers_create(&d.settings, COUNT);
    stopper s = {.d = &d, .requests = COUNT};
    cr_assert(pthread_create(&s.thread, NULL, stop_after_requests, &s) == 0);
    download_result result;
    for (size_t i = 0; i < COUNT; i++) {
        transfers_begin(some, code_of(i));
    }
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert(transfers_next(some, &result));
        expect_status(&result, DOWNLOAD_LEFT);
    }
    cr_assert(!transfers_next(some, &result));
    pthread_join(s.thread, NULL);
    cr_assert(now_ns() - s.stopped_ns < SOON);
    transfers_begin(some, BB); /* from now on nothing is asked for */
    cr_assert(transfers_next(some, &result));
    expect_status(&result, DOWNLOAD_LEFT);
    EXPECT_EQ(counter_get(&d.server->requests), COUNT);
    transfers_destroy(some);
    downloads_end(&d);
}

Test(transfers, stop_while_waiting_for_answers) {
    check_stop(&SILENT);
}

Test(transfers, stop_in_the_middle_of_bodies) {
    check_stop(&(reply){.size = 1000, .cut = 500, .stalls = true});
}

static reply only_aa_busy(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)nth, (void)arrival;
    const reply busy = {.status = 503, .header = "Retry-After", .text = "20"};
    return code.text[1] == 'A' ? busy : (reply){0};
}

Test(transfers, stop_between_attempts) {
    downloads d;
    downloads_begin(&d, only_aa_busy, NULL);
    d.settings.retries = 3;
    transfers *some = transfers_create(&d.settings, 2);
    download_result result;
    transfers_begin(some, AA);
    /* When 20 more are done after the server has seen AA's first attempt, so is that. */
    for (size_t i = 1, after = 0; after < 20; i++) {
        after += http_server_requests_of(d.server, AA) > 0;
        transfers_begin(some, code_of(1 + i % 19)); /* AB to AT */
        cr_assert(transfers_next(some, &result));
        expect_status(&result, DOWNLOAD_OK);
    }
    const int64_t start = now_ns();
    download_stop_request(&d.stop);
    cr_assert(transfers_next(some, &result));
    expect_status(&result, DOWNLOAD_LEFT);
    expect_times(&d, &result, 1);
    cr_assert(now_ns() - start < SOON);
    transfers_destroy(some);
    downloads_end(&d);
}

Test(transfers, given_up_in_the_middle) {
    downloads d;
    downloads_begin(&d, the_same, (void *)&SILENT);
    transfers *some = transfers_create(&d.settings, 3);
    for (size_t i = 0; i < 3; i++) {
        transfers_begin(some, code_of(i));
    }
    transfers_destroy(some);
    transfers_destroy(NULL);
    downloads_end(&d);
}

/* ---- files that are there, or cannot be ------------------------------------------------------ */

Test(transfers, existing_files_are_skipped) {
    downloads d;
    downloads_begin(&d, one_by_one, &(replies){0});
    d.settings.skip_existing = true;
    cr_assert(scratch_write(d.path, "AA.gif", "GIF89a of old", 13));
    cr_assert(scratch_write(d.path, "BB.gif", "<html>", 6));
    const download_result first = download(&d, AA), second = download(&d, BB);
    expect_status(&first, DOWNLOAD_EXISTING);
    EXPECT_EQ(first.http_status, 0);
    expect_times(&d, &first, 0);
    cr_assert(scratch_holds(d.path, "AA.gif", "GIF89a of old", 13));
    expect_status(&second, DOWNLOAD_OK);
    cr_assert(downloads_has_flag(&d, BB));
    d.settings.skip_existing = false;
    const download_result third = download(&d, AA);
    expect_status(&third, DOWNLOAD_OK);
    cr_assert(downloads_has_flag(&d, AA));
    downloads_end(&d);
}

Test(transfers, one_that_cannot_be_saved) {
    downloads d;
    downloads_begin(&d, one_by_one, &(replies){0});
    d.settings.retries = 3;
    cr_assert(mkdirat(d.folder.fd, "AA.gif", 0755) == 0);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "%s/AA.gif: Is a directory", d.path);
    const download_result first = download(&d, AA), second = download(&d, BB);
    expect_message(&first, wanted);
    expect_times(&d, &first, 1);
    expect_status(&second, DOWNLOAD_OK);
    cr_assert(!download_stop_requested(&d.stop)); /* an error like any other */
    downloads_end(&d);
}

static size_t saved_calls;

static int tell_saved(country_code code) {
    saved_calls++;
    return code.text[0] == 'B' ? EPIPE : 0;
}

Test(transfers, saved_is_told) {
    downloads d;
    downloads_begin(&d, one_by_one, &(replies){0});
    d.settings.saved = tell_saved;
    d.settings.sync = true;
    const download_result first = download(&d, AA), second = download(&d, BB);
    expect_status(&first, DOWNLOAD_OK);
    EXPECT_EQ(first.output_error, 0);
    EXPECT_EQ(second.output_error, EPIPE);
    expect_message(&second, "standard output: Broken pipe");
    EXPECT_EQ(saved_calls, 2);
    cr_assert(downloads_has_flag(&d, BB)); /* saved it is */
    d.settings.site = "http://127.0.0.1:1";
    download(&d, AA);
    EXPECT_EQ(saved_calls, 2);
    downloads_end(&d);
}
