/* libcfutures and libcfutures_openmp of different builds: the executor is refused, and nothing of the
 * core is called. The linker gives the executor's call of cf_core_functions to the function below,
 * which asks for another version than the executor does. */
#include "../check.h"

#include "executors/core_functions.h"

#include <cfutures_openmp.h>

const cfi_core_functions *__real_cf_core_functions(unsigned version);
const cfi_core_functions *__wrap_cf_core_functions(unsigned version);

static unsigned difference; /* of the two builds' versions */
static unsigned asked;      /* what the executor asked for */

const cfi_core_functions *__wrap_cf_core_functions(unsigned version) {
    asked = version;
    return __real_cf_core_functions(version + difference);
}

TestSuite(other_build, .timeout = TEST_SECONDS);

Test(other_build, is_refused) {
    static const unsigned differences[] = {1, 1U << 16, -1U, -(1U << 16)};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++) {
        cf_executor *ex = (cf_executor *)&ex;
        difference = differences[i];
        EXPECT(CF_EUNSUPPORTED, cf_openmp_create(NULL, &ex));
        cr_assert(ex == NULL);
        EXPECT(CF_EINVAL, cf_openmp_create(NULL, NULL));
        EXPECT_EQ(asked, CFI_CORE_VERSION);
    }
}

Test(other_build, same_build_is_not_refused) {
    cf_executor *ex = NULL;
    difference = 0;
    EXPECT(CF_OK, cf_openmp_create(NULL, &ex));
    cf_executor_destroy(ex);
}
