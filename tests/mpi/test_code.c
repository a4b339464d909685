/* A function is found again by its identity: in the program, in libraries, in each build of one. What is not
 * there is not found. */
#include "../check.h"

#include "executors/mpi/code.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(code, .timeout = TEST_SECONDS);

static cf_task_fn *function_at(const void *address) {
    cf_task_fn *run;
    memcpy(&run, &address, sizeof run);
    return run;
}

static int run_here(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    return 42;
}

typedef struct module {
    void *handle;
    cf_task_fn *run;
    cfi_mpi_code code;
} module;

/* Relative to the program's folder, where they are built. */
static module load(const char *path) {
    module m = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    cr_assert(m.handle != NULL, "%s", dlerror());
    m.run = function_at(dlsym(m.handle, "module_task"));
    cr_assert(cfi_mpi_code_of(m.run, &m.code), "%s", path);
    return m;
}

static uint64_t told_by(cf_task_fn *run) {
    uint64_t told = 0;
    cr_assert(run != NULL);
    cr_assert_eq(run(NULL, &told, NULL), 0);
    return told;
}

Test(code, of_the_program) {
    cfi_mpi_code code;
    cr_assert(cfi_mpi_code_of(run_here, &code));
    cr_assert_eq(code.module, cfi_mpi_code_program());
    cr_assert(cfi_mpi_code_find(code) == run_here);
}

Test(code, of_a_shared_library) {
    cfi_mpi_code code;
    cf_task_fn *in_libc = function_at(dlsym(RTLD_DEFAULT, "qsort"));
    cr_assert(cfi_mpi_code_of(in_libc, &code));
    cr_assert(code.module != cfi_mpi_code_program());
    cr_assert(cfi_mpi_code_find(code) == in_libc);
}

Test(code, of_no_module_is_not_found) {
    static int data;
    int *heap = malloc(sizeof *heap);
    cfi_mpi_code code;
    cr_assert_not(cfi_mpi_code_of(function_at(heap), &code));
    cr_assert_not(cfi_mpi_code_of(function_at(&code), &code));
    cr_assert_not(cfi_mpi_code_of(function_at(&data), &code));
    cr_assert_not(cfi_mpi_code_of(NULL, &code));
    free(heap);
}

Test(code, of_another_build_is_not_found) {
    cfi_mpi_code code;
    cr_assert(cfi_mpi_code_of(run_here, &code));
    cfi_mpi_code elsewhere = code;
    elsewhere.module++;
    cr_assert(cfi_mpi_code_find(elsewhere) == NULL);
    elsewhere = code;
    elsewhere.offset = UINT64_C(1) << 40; /* beyond the program */
    cr_assert(cfi_mpi_code_find(elsewhere) == NULL);
    elsewhere.offset = UINT64_MAX;
    cr_assert(cfi_mpi_code_find(elsewhere) == NULL);
    elsewhere.offset = 0; /* its header, which is no code */
    cr_assert(cfi_mpi_code_find(elsewhere) == NULL);
}

/* Their functions lie at the same place, and both have no build id, or both have one. */
static void expect_distinct(const char *first, const char *second) {
    module a = load(first), b = load(second);
    EXPECT_EQ(a.code.offset, b.code.offset);
    cr_assert(a.code.module != b.code.module);
    EXPECT_EQ(told_by(cfi_mpi_code_find(a.code)), 1);
    EXPECT_EQ(told_by(cfi_mpi_code_find(b.code)), 2);
    dlclose(b.handle);
    cr_assert(cfi_mpi_code_find(b.code) == NULL);
    EXPECT_EQ(told_by(cfi_mpi_code_find(a.code)), 1);
    dlclose(a.handle);
    cr_assert(cfi_mpi_code_find(a.code) == NULL);
}

Test(code, of_two_libraries_by_their_build_ids) {
    expect_distinct(MODULES "/module_1.so", MODULES "/module_2.so");
}

Test(code, of_two_libraries_by_their_bytes) {
    expect_distinct(MODULES "/module_1_without_id.so", MODULES "/module_2_without_id.so");
}

Test(code, is_the_same_when_it_is_loaded_elsewhere) {
    module first = load(MODULES "/module_1_without_id.so");
    dlclose(first.handle);
    void *in_the_way = malloc(1 << 20);
    module other = load(MODULES "/module_2_without_id.so"), again;
    again = load(MODULES "/module_1_without_id.so");
    EXPECT_EQ(again.code.module, first.code.module);
    EXPECT_EQ(again.code.offset, first.code.offset);
    dlclose(again.handle);
    dlclose(other.handle);
    free(in_the_way);
}
