#include "programs/flags/flags_program.h"

int main(int argc, char **argv) {
    const flags_program program = {
        .doc = "Downloads the flags of the 20 countries with the most people all at once, on one "
               "thread.",
        .download_many = download_many_async,
        .worker = "connection",
        .most = POP20_COUNT,
        .why = "one for each flag",
        .descriptors_each = 3,
    };
    return flags_program_main(&program, argc, argv);
}
