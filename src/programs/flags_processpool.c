#include "programs/flags/flags_program.h"

int main(int argc, char **argv) {
    const flags_program program = {
        .doc = "Downloads the flags of the 20 countries with the most people in worker processes, "
               "one for each processor that may be used.",
        .download_many = download_many_map_processes,
        .worker = "process",
        .ordered = true,
        .most = cf_cpu_count(NULL),
    };
    return flags_program_main(&program, argc, argv);
}
