#include "download/retry.h"

#include "platform/clock.h"

#include <sys/random.h>

#define SECOND_NS  INT64_C(1000000000)
#define FIRST_NS   (SECOND_NS / 2)
#define LONGEST_NS (10 * SECOND_NS)

static bool status_may_change(long http_status) {
    switch (http_status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}

bool retry_is_worthwhile(CURLcode code, long http_status) {
    switch (code) {
    case CURLE_OK:
        return status_may_change(http_status);
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

/* 0 <= random < 1 */
static double random_part(void) {
    uint32_t bits;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
        bits = (uint32_t)plat_now_ns(); /* early at boot */
    }
    return bits / 4294967296.0;
}

static int64_t back_off_ns(unsigned attempts) {
    int64_t pause_ns = FIRST_NS;
    for (unsigned i = 1; i < attempts && pause_ns < LONGEST_NS; i++) {
        pause_ns *= 2;
    }
    if (pause_ns > LONGEST_NS) {
        pause_ns = LONGEST_NS;
    }
    return pause_ns / 2 + (int64_t)((double)pause_ns / 2 * random_part());
}

int64_t retry_pause_ns(unsigned attempts, int64_t advice_s, int64_t most_ns) {
    if (advice_s >= 0) {
        return advice_s <= most_ns / SECOND_NS ? advice_s * SECOND_NS : most_ns;
    }
    const int64_t wanted_ns = back_off_ns(attempts);
    return wanted_ns < most_ns ? wanted_ns : most_ns;
}
