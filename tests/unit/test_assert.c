/* An assertion that does not hold ends the process, and says which; one that holds does nothing. In a
 * build without assertions neither is evaluated. */
#include "../check.h"

#include "platform/assert.h"
#include "platform/biased_lock.h"

#include <signal.h>

TestSuite(assert, .timeout = TEST_SECONDS);

static int evaluated;

static bool count(bool value) {
    evaluated++;
    return value;
}

Test(assert, that_holds_does_nothing) {
    cfi_assert(count(true));
#ifdef CFI_ASSERTIONS
    cr_assert_eq(evaluated, 1);
#else
    cr_assert_eq(evaluated, 0);
#endif
}

#ifdef CFI_ASSERTIONS

Test(assert, that_does_not_hold_ends_the_process, .signal = SIGABRT) {
    cfi_assert(count(false));
}

/* One of the core's own. */
Test(assert, lock_that_is_not_held_cannot_be_given, .signal = SIGABRT) {
    static plat_biased_lock lock;
    plat_biased_lock_init(&lock);
    plat_biased_lock_take(&lock);
    plat_biased_lock_give(&lock);
    plat_biased_lock_give(&lock);
}

#endif
