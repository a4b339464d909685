#include "programs/flags/flags2_program.h"

int main(int argc, char **argv) {
    static const flags2_program program = {
        .doc = " all on one thread",
        .download_many = download_many_async,
        .worker = "connection",
        .most_by_default = 5,
        .most = 1000,
        .descriptors_each = 3,
    };
    return flags2_program_main(&program, argc, argv);
}
