/* Names, messages and sentences. */
#define _GNU_SOURCE /* sigabbrev_np */
#include "../check.h"
#include "../scratch.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(status, .timeout = TEST_SECONDS);

Test(status, each_has_its_name_and_message) {
    static const struct {
        cf_status status;
        const char *name;
        const char *message;
    } all[] = {
#define STATUS_ROW(name, message) {name, #name, message},
        CF_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
    };
    EXPECT_EQ(CF_OK, 0);
    EXPECT_EQ(COUNT_OF(all), CF_ESERVED + 1);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        EXPECT_EQ(all[i].status, i);
        cr_assert_str_eq(cf_status_name(all[i].status), all[i].name);
        cr_assert_str_eq(cf_status_message(all[i].status), all[i].message);
    }
}

Test(status, a_number_that_is_none) {
    static const int numbers[] = {-1, CF_ESERVED + 1, 1000, INT_MAX, INT_MIN};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        cr_assert_str_eq(cf_status_name((cf_status)numbers[i]), "CF_?");
        const char *message = cf_status_message((cf_status)numbers[i]);
        cr_assert(message && message[0]);
    }
}

Test(status, states_have_names) {
    cr_assert_str_eq(cf_state_name(CF_PENDING), "pending");
    cr_assert_str_eq(cf_state_name(CF_RUNNING), "running");
    cr_assert_str_eq(cf_state_name(CF_FINISHED), "finished");
    cr_assert_str_eq(cf_state_name(CF_CANCELLED), "cancelled");
    cr_assert(cf_state_name((cf_state)99) != NULL);
    cr_assert(cf_state_name((cf_state)-1) != NULL);
}

static void expect_sentence(cf_exception e, const char *wanted) {
    char text[200];
    cr_assert(cf_exception_describe(&e, text, sizeof text) == text);
    cr_assert_str_eq(text, wanted);
}

Test(status, an_exception_is_a_sentence) {
    expect_sentence((cf_exception){.status = CF_EWORKER, .signal = SIGKILL},
                    "killed by signal 9 (SIGKILL)");
    expect_sentence((cf_exception){.status = CF_EWORKER, .signal = SIGSEGV},
                    "killed by signal 11 (SIGSEGV)");
    expect_sentence((cf_exception){.status = CF_EWORKER, .exit_code = 3}, "exited with status 3");
    expect_sentence((cf_exception){.status = CF_EWORKER, .exit_code = 0}, "exited with status 0");
    expect_sentence((cf_exception){.status = CF_ETASK, .task_error = ENOENT},
                    "error: No such file or directory");
    expect_sentence((cf_exception){.status = CF_ECANCELLED}, "cancelled");
}

/* Makes a locale in which a comma stands for the point, and sets it. */
static void set_german_locale(const char *folder) {
    char command[SCRATCH_PATH + 80];
    snprintf(command, sizeof command, "localedef -c -i de_DE -f UTF-8 %s/comma 2>/dev/null",
             folder);
    cr_assert(system(command) != -1); /* warns with status 1 */
    setenv("LOCPATH", folder, 1);
    cr_assert(setlocale(LC_ALL, "comma") != NULL);
}

Test(status, a_sentence_is_the_same_in_every_locale) {
    const cf_exception late = {.status = CF_EDEADLINE, .timeout_ns = 1500000000};
    char folder[SCRATCH_PATH], text[32];
    scratch_make(folder);
    set_german_locale(folder);
    snprintf(text, sizeof text, "%g", 1.5);
    cr_assert_str_eq(text, "1,5");
    expect_sentence(late, "timed out after 1.5s");
    snprintf(text, sizeof text, "%g", 1.5); /* the program's own is as before */
    cr_assert_str_eq(text, "1,5");
    scratch_remove(folder);
}

Test(status, a_number_that_is_not_an_errno) {
    expect_sentence((cf_exception){.status = CF_ETASK, .task_error = 12345}, "error: 12345");
    expect_sentence((cf_exception){.status = CF_ETASK, .task_error = -7}, "error: -7");
    expect_sentence((cf_exception){.status = CF_ETASK, .task_error = 41}, "error: 41");
}

Test(status, every_signal_has_a_sentence) {
    for (int s = 1; s < 32; s++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "killed by signal %d (SIG%s)", s, sigabbrev_np(s));
        expect_sentence((cf_exception){.status = CF_EWORKER, .signal = s}, wanted);
    }
    for (int s = 32; s <= 64; s++) { /* real-time signals: a number will do */
        char text[100], wanted[64];
        cf_exception e = {.status = CF_EWORKER, .signal = s};
        snprintf(wanted, sizeof wanted, "killed by signal %d", s);
        cf_exception_describe(&e, text, sizeof text);
        cr_assert(strncmp(text, wanted, strlen(wanted)) == 0, "%s", text);
    }
}

Test(status, every_other_exception_says_something) {
    static const int errors[] = {0, 1, -1, 9999, INT_MAX, INT_MIN};
    char text[200];
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        cf_exception e = {.status = CF_ETASK, .task_error = errors[i]};
        cf_exception_describe(&e, text, sizeof text);
        cr_assert(strncmp(text, "error: ", 7) == 0 && strlen(text) > 7, "%s", text);
    }
    for (int status = -1; status <= CF_ESERVED + 1; status++) {
        cf_exception e = {.status = (cf_status)status, .worker = -1};
        cf_exception_describe(&e, text, sizeof text);
        cr_assert(text[0] != '\0', "status %d says nothing", status);
    }
}

Test(status, sentences_are_cut_to_fit) {
    static const cf_exception all[] = {
        {.status = CF_OK},
        {.status = CF_ECANCELLED},
        {.status = CF_EBROKEN},
        {.status = CF_ETASK, .task_error = EACCES},
        {.status = CF_EWORKER, .signal = SIGABRT},
        {.status = CF_EWORKER, .exit_code = 255},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        char whole[200], text[201];
        size_t length = strlen(cf_exception_describe(&all[i], whole, sizeof whole));
        cr_assert(length < sizeof whole - 1);
        for (size_t size = 0; size < sizeof whole; size++) {
            memset(text, 'x', sizeof text);
            cr_assert(cf_exception_describe(&all[i], text, size) == text);
            size_t kept = size == 0 ? 0 : size - 1 < length ? size - 1 : length;
            cr_assert(memcmp(text, whole, kept) == 0);
            cr_assert(size == 0 || text[kept] == '\0');
            cr_assert(text[size] == 'x'); /* nothing is written behind the room given */
        }
    }
}

Test(status, version) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", CF_VERSION_MAJOR, CF_VERSION_MINOR, CF_VERSION_PATCH);
    cr_assert_str_eq(cf_version(), text);
    cr_assert_eq(CF_VERSION, (CF_VERSION_MAJOR * 100 + CF_VERSION_MINOR) * 100 + CF_VERSION_PATCH);
}
