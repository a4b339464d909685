#include "programs/flags/flags2_program.h"

int main(int argc, char **argv) {
    static const flags2_program program = {
        .doc = ", one after the other",
        .download_many = download_many_sequential,
        .worker = "connection",
        .ordered = true,
        .most_by_default = 1,
        .most = 1,
        .descriptors_each = 4,
    };
    return flags2_program_main(&program, argc, argv);
}
