/* How many connections the limit on open files allows. */
#include "../check.h"

#include "programs/base/open_files.h"

#include <sys/resource.h>

TestSuite(open_files, .timeout = TEST_SECONDS);

/* For the rest of the test, which has a process of its own. */
static void limit(rlim_t soft, rlim_t hard) {
    cr_assert(setrlimit(RLIMIT_NOFILE, &(struct rlimit){soft, hard}) == 0);
}

static rlim_t soft_limit(void) {
    struct rlimit now;
    cr_assert(getrlimit(RLIMIT_NOFILE, &now) == 0);
    return now.rlim_cur;
}

Test(open_files, enough_is_left_as_it_is) {
    limit(256, 512);
    EXPECT_EQ(open_files_allow(1, 1), 1);
    EXPECT_EQ(open_files_allow(30, 2), 30);
    EXPECT_EQ(soft_limit(), 256);
}

Test(open_files, the_soft_limit_is_raised) {
    limit(64, 512);
    EXPECT_EQ(open_files_allow(100, 2), 100);
    cr_assert(soft_limit() >= 200 && soft_limit() <= 512);
}

Test(open_files, the_hard_limit_holds) {
    limit(64, 200);
    const unsigned allowed = open_files_allow(1000, 2);
    cr_assert(allowed > 50 && allowed <= 100, "%u", allowed);
    EXPECT_EQ(soft_limit(), 200);
    EXPECT_EQ(open_files_allow(allowed, 2), allowed); /* these do fit */
}

Test(open_files, one_is_always_allowed) {
    limit(20, 20);
    EXPECT_EQ(open_files_allow(1, 4), 1);
    EXPECT_EQ(open_files_allow(1000, 4), 1);
}
