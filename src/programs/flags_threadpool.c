#include "programs/flags/flags_program.h"

/* Threads that wait for the network need no processor: so many has Python's pool. */
static unsigned default_threads(void) {
    const unsigned threads = cf_cpu_count(NULL) + 4;
    return threads < 32 ? threads : 32;
}

int main(int argc, char **argv) {
    const flags_program program = {
        .doc = "Downloads the flags of the 20 countries with the most people on threads, four more "
               "than there are processors that may be used, but at most 32.",
        .download_many = download_many_map_threads,
        .worker = "thread",
        .ordered = true,
        .most = default_threads(),
        .why = "4 more than there are processors that may be used, at most one for each flag",
        .descriptors_each = 5,
    };
    return flags_program_main(&program, argc, argv);
}
