/* Faults made on purpose, to prove that the test run sees such faults. Criterion itself calls the
 * leak a success. Only in a build with the sanitizers. */
#include <criterion/criterion.h>

#include <limits.h>
#include <stdlib.h>

Test(detected, leak) {
    char *volatile lost = malloc(100);
    cr_assert(lost != NULL);
    lost = NULL;
}

Test(detected, undefined) {
    volatile int most = INT_MAX;
    most = most + 1;
    cr_assert(most != 0);
}

Test(detected, nothing) {
    char *volatile kept = malloc(100);
    cr_assert(kept != NULL);
    free(kept);
}
