#include "programs/flags/flags_program.h"

int main(int argc, char **argv) {
    const flags_program program = {
        .doc = "Downloads the flags of the 20 countries with the most people, one after the other.",
        .download_many = download_many_sequential,
        .worker = "connection",
        .ordered = true,
        .most = 1,
        .why = "one after the other",
        .descriptors_each = 4,
    };
    return flags_program_main(&program, argc, argv);
}
