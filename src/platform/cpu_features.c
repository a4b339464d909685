#include "platform/cpu_features.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <stdint.h>

/* Bits of XCR0: which vector registers the operating system saves. */
#define STATE_YMM 0x06u /* xmm, upper halves of ymm */
#define STATE_ZMM 0xe6u /* also mask registers, upper halves of zmm, zmm16 to zmm31 */

static uint32_t saved_state(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return 0;
    }
    /* Not the intrinsic: that needs a compiler option of its own. */
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

struct plat_cpu_features plat_cpu_features_read(void) {
    const unsigned avx512 =
        bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512IFMA;
    struct plat_cpu_features features = {0};
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        const uint32_t saved = saved_state();
        features.avx2 = (b & bit_AVX2) && (saved & STATE_YMM) == STATE_YMM;
        features.avx512_ifma = (b & avx512) == avx512 && (saved & STATE_ZMM) == STATE_ZMM;
    }
    return features;
}

#else

struct plat_cpu_features plat_cpu_features_read(void) {
    return (struct plat_cpu_features){0};
}

#endif
