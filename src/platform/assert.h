/* What must hold if the code is right. A user's mistake is an error value, never an assertion.
 *
 * Built in by the CMake option PRIMEPOOL_ASSERT (on in debug builds): a condition that does not hold
 * ends the process with a message on standard error. Elsewhere conditions are compiled and never
 * evaluated. */
#ifndef PLATFORM_ASSERT_H
#define PLATFORM_ASSERT_H

#ifdef CFI_ASSERTIONS
_Noreturn void cfi_assert_failed(const char *condition, const char *file, int line,
                                 const char *function);
#define cfi_assert(condition)                                                                      \
    ((condition) ? (void)0 : cfi_assert_failed(#condition, __FILE__, __LINE__, __func__))
#else
#define cfi_assert(condition) ((void)sizeof(condition))
#endif

#endif
