#include "programs/prime/prime_program.h"

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "sequential",
        .doc = "Checks 20 numbers for primality, one after the other.",
        .create = cf_serial_create,
    };
    return prime_program_main(&program, argc, argv);
}
