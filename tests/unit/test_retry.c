/* What is tried again, and after which pause. */
#include "../check.h"

#include "download/retry.h"

#include <limits.h>

TestSuite(retry, .timeout = TEST_SECONDS);

#define HOUR (3600 * SECOND)

static bool is_one_of(long value, const long *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (values[i] == value) {
            return true;
        }
    }
    return false;
}

/* ---- what is worthwhile ---------------------------------------------------------------------- */

Test(retry, statuses_that_may_change) {
    static const long THOSE[] = {408, 429, 500, 502, 503, 504};
    for (long status = -1; status < 1000; status++) {
        const bool wanted = is_one_of(status, THOSE, COUNT_OF(THOSE));
        cr_assert(retry_is_worthwhile(CURLE_OK, status) == wanted, "HTTP %ld", status);
    }
}

/* What libcurl reports counts more than a status that came before it. */
Test(retry, failures_that_may_change) {
    static const long THOSE[] = {CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE,
                                 CURLE_SEND_ERROR,         CURLE_RECV_ERROR,  CURLE_HTTP2,
                                 CURLE_HTTP2_STREAM};
    static const long STATUSES[] = {0, 200, 404, 503};
    for (int code = 1; code < CURL_LAST; code++) {
        const bool wanted = is_one_of(code, THOSE, COUNT_OF(THOSE));
        for (size_t i = 0; i < COUNT_OF(STATUSES); i++) {
            cr_assert(retry_is_worthwhile((CURLcode)code, STATUSES[i]) == wanted,
                      "CURLcode %d, HTTP %ld", code, STATUSES[i]);
        }
    }
}

/* ---- pauses ---------------------------------------------------------------------------------- */

#define NO_ADVICE (-1)

typedef struct range {
    int64_t least, most;
} range;

static range pauses(unsigned attempts, int64_t advice_s, int64_t most_ns) {
    range seen = {INT64_MAX, INT64_MIN};
    for (int i = 0; i < 300; i++) {
        const int64_t pause = retry_pause_ns(attempts, advice_s, most_ns);
        seen.least = pause < seen.least ? pause : seen.least;
        seen.most = pause > seen.most ? pause : seen.most;
    }
    return seen;
}

/* Half a second, twice as long each time, up to ten; of that between a half and all. */
Test(retry, pauses_double) {
    static const unsigned ATTEMPTS[] = {1, 2, 3, 4, 5, 6, 7, 33, 64, 65, 101, UINT_MAX};
    int64_t whole = SECOND / 2;
    for (size_t i = 0; i < COUNT_OF(ATTEMPTS); i++) {
        const range seen = pauses(ATTEMPTS[i], NO_ADVICE, HOUR);
        cr_assert(seen.least >= whole / 2 && seen.most <= whole, "after %u attempts: %ld to %ld ns",
                  ATTEMPTS[i], (long)seen.least, (long)seen.most);
        /* and all over that range, but for a chance of less than 10^-80 */
        cr_assert(seen.least < whole * 3 / 4 && seen.most > whole * 3 / 4);
        whole = 2 * whole < 10 * SECOND ? 2 * whole : 10 * SECOND;
    }
}

Test(retry, pauses_are_no_longer_than_allowed) {
    static const int64_t MOST[] = {1, 1000, SECOND / 10, SECOND / 4};
    for (size_t i = 0; i < COUNT_OF(MOST); i++) {
        for (unsigned attempts = 1; attempts < 10; attempts++) {
            const range seen = pauses(attempts, NO_ADVICE, MOST[i]);
            EXPECT_EQ(seen.least, MOST[i]);
            EXPECT_EQ(seen.most, MOST[i]);
        }
    }
    const range seen = pauses(9, NO_ADVICE, 6 * SECOND);
    cr_assert(seen.least >= 5 * SECOND && seen.most == 6 * SECOND);
}

static void expect_pause(int64_t advice_s, int64_t most_ns, int64_t wanted) {
    static const unsigned ATTEMPTS[] = {1, 2, 100, UINT_MAX};
    for (size_t i = 0; i < COUNT_OF(ATTEMPTS); i++) {
        EXPECT_EQ(retry_pause_ns(ATTEMPTS[i], advice_s, most_ns), wanted);
    }
}

Test(retry, advice_is_obeyed) {
    expect_pause(1, HOUR, SECOND);
    expect_pause(30, 30 * SECOND, 30 * SECOND);
    expect_pause(3600, HOUR, HOUR);
    expect_pause(0, HOUR, 0);
    expect_pause(0, 1, 0);
}

Test(retry, advice_has_limits) {
    expect_pause(31, 30 * SECOND, 30 * SECOND);
    expect_pause(1, SECOND / 2, SECOND / 2);
    expect_pause(1, 1, 1);
    expect_pause(9, 9 * SECOND + 5, 9 * SECOND);
}

Test(retry, no_value_overflows) {
    const int64_t years_ns = INT64_MAX;
    expect_pause(INT64_MAX, 30 * SECOND, 30 * SECOND);
    expect_pause(INT64_MAX / SECOND + 1, HOUR, HOUR);
    expect_pause(INT64_MAX, years_ns, years_ns);
    expect_pause(INT64_MAX / SECOND, years_ns, INT64_MAX / SECOND * SECOND);
}
