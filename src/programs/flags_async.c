#include "programs/flags/flags_program.h"

int main(int argc, char **argv) {
    const flags_program program = {
        .doc = "Downloads the flags of the 20 countries with the most people all at once, on one "
               "thread.",
        .download_many = download_many_async,
        .most = POP20_COUNT,
        .descriptors_each = 3,
    };
    return flags_program_main(&program, argc, argv);
}
