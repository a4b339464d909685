/* Criterion, and what the tests say all the time. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include "support.h"

#include <criterion/criterion.h>

/* The call returns this status, and not because a wait of LONG_WAIT ran out and looked once more:
 * that would be a wake-up lost. */
#define EXPECT(wanted, call)                                                                       \
    do {                                                                                           \
        const int64_t start_ = now_ns();                                                           \
        const cf_status got_ = (call);                                                             \
        cr_assert(got_ == (wanted), "%s: %s, wanted %s", #call, cf_status_name(got_),              \
                  cf_status_name(wanted));                                                         \
        cr_assert(now_ns() - start_ < LONG_WAIT, "%s: nobody woke it", #call);                     \
    } while (0)

/* Two integers of any type are equal; both are shown. */
#define EXPECT_EQ(a, b)                                                                            \
    do {                                                                                           \
        const long long a_ = (long long)(a), b_ = (long long)(b);                                  \
        cr_assert(a_ == b_, "%s is %lld, %s is %lld", #a, a_, #b, b_);                             \
    } while (0)

/* A Criterion .timeout: reached by a hang only, also under sanitizers. */
#define TEST_SECONDS 100.0

/* The host ended by itself, and well. */
#define EXPECT_HOST_OK(call)                                                                       \
    do {                                                                                           \
        const int status_ = (call);                                                                \
        cr_assert(status_ == 0, "%s: host ended with wait status 0x%x", #call, (unsigned)status_); \
    } while (0)

#endif
