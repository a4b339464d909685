#include "programs/flags/flags2_program.h"

int main(int argc, char **argv) {
    static const flags2_program program = {
        .doc = " on threads",
        .download_many = download_many_threads,
        .worker = "thread",
        .most_by_default = 30,
        .most = 1000,
        .descriptors_each = 5,
    };
    return flags2_program_main(&program, argc, argv);
}
