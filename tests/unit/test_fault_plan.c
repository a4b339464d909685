/* Delays and errors of slow_server: within their bounds, evenly spread, and of nothing but the seed, the
 * code and how often that was asked for. */
#include "../check.h"

#include "programs/slow_server/fault_plan.h"

#include <stdlib.h>
#include <string.h>

TestSuite(fault_plan, .timeout = TEST_SECONDS);

#define BY_CODE 50 /* requests for each */
#define BINS    10

static fault_plan *make_plan(uint64_t seed) {
    fault_plan *plan = calloc(1, sizeof *plan);
    cr_assert(plan != NULL);
    plan->settings = (fault_settings){
        .min_delay_ns = SECOND / 2, .max_delay_ns = 5 * SECOND, .error_rate = 0.25, .seed = seed};
    return plan;
}

/* 33850 draws of each of three seeds that are always the same: no chance in it. */
Test(fault_plan, evenly_spread) {
    for (uint64_t seed = 0; seed < 3; seed++) {
        fault_plan *plan = make_plan(seed);
        int bins[BINS] = {0}, errors = 0, draws = 0;
        for (int i = 0; i < BY_CODE; i++) {
            for (unsigned code = 0; code <= FLAG_NO_CODE; code++) {
                const fault f = fault_plan_next(plan, code);
                const int64_t above = f.delay_ns - SECOND / 2, span = 9 * SECOND / 2;
                cr_assert(above >= 0 && above < span);
                bins[above * BINS / span]++;
                errors += f.is_error ? 1 : 0;
                draws++;
            }
        }
        for (int bin = 0; bin < BINS; bin++) {
            cr_assert(abs(bins[bin] - draws / BINS) < draws / BINS / 20, "bin %d has %d of %d", bin,
                      bins[bin], draws);
        }
        cr_assert(abs(errors - draws / 4) < draws / 4 / 20, "%d errors of %d", errors, draws);
        free(plan);
    }
}

static bool is_same(fault a, fault b) {
    return a.delay_ns == b.delay_ns && a.is_error == b.is_error;
}

Test(fault_plan, whatever_the_order) {
    fault_plan *by_code = make_plan(7), *by_turns = make_plan(7), *other = make_plan(8);
    fault(*faults)[BY_CODE] = calloc(FLAG_CODES, sizeof *faults);
    cr_assert(faults != NULL);
    for (unsigned code = 0; code < FLAG_CODES; code++) {
        for (int i = 0; i < BY_CODE; i++) {
            faults[code][i] = fault_plan_next(by_code, code);
        }
    }
    int like_other = 0;
    for (int i = 0; i < BY_CODE; i++) {
        for (unsigned code = FLAG_CODES; code-- > 0;) {
            cr_assert(is_same(fault_plan_next(by_turns, code), faults[code][i]));
            like_other += is_same(fault_plan_next(other, code), faults[code][i]) ? 1 : 0;
        }
    }
    cr_assert(like_other < 10, "another seed gives the same %d times", like_other);
    free(faults);
    free(by_code);
    free(by_turns);
    free(other);
}

Test(fault_plan, ends_of_the_ranges) {
    fault_plan *plan = make_plan(1);
    plan->settings = (fault_settings){.min_delay_ns = SECOND, .max_delay_ns = SECOND};
    for (int i = 0; i < 1000; i++) {
        cr_assert(is_same(fault_plan_next(plan, 5), (fault){.delay_ns = SECOND}));
    }
    plan->settings = (fault_settings){.error_rate = 1};
    for (int i = 0; i < 1000; i++) {
        cr_assert(is_same(fault_plan_next(plan, 5), (fault){.is_error = true}));
    }
    free(plan);
}

Test(fault_plan, paths) {
    EXPECT_EQ(flag_path_code("/flags/br/br.gif"), flag_code_of("BR"));
    EXPECT_EQ(flag_path_code("/flags/aa/aa.gif"), 0);
    EXPECT_EQ(flag_path_code("/flags/zz/zz.gif"), FLAG_CODES - 1);
    static const char *const NO_FLAGS[] = {
        "",
        "/",
        "/flags/",
        "/flags/br",
        "/flags/b",
        "flags/br/br.gif",
        "/flags/br/fr.gif",
        "/flags/BR/BR.gif",
        "/flags/br/br.GIF",
        "/flags/br/br.gif/",
        "/flags/br/br.gif ",
        "//flags/br/br.gif",
        "/flags/../flags/br/br.gif",
        "/flags/1r/1r.gif",
        "/flags/\xe4r/\xe4r.gif",
    };
    for (size_t i = 0; i < COUNT_OF(NO_FLAGS); i++) {
        EXPECT_EQ(flag_path_code(NO_FLAGS[i]), FLAG_NO_CODE);
    }
    for (unsigned code = 0; code < FLAG_CODES; code++) {
        char url[32] = "/";
        strcat(url, flag_path_of(code).text);
        EXPECT_EQ(flag_path_code(url), code);
        EXPECT_EQ(flag_code_of(flag_code_text_of(code).text), code);
    }
    cr_assert(strcmp(flag_code_text_of(FLAG_NO_CODE).text, "??") == 0);
}
