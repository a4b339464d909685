#include "primes/primes.h"

#include <string.h>

const prime_method PRIME_METHODS[] = {
    {.name = "trial", .is_prime = is_prime_trial, .refute = refute_trial, .pace = 1},
    {.name = "wheel", .is_prime = is_prime_wheel, .refute = refute_wheel, .pace = 2},
    {.name = "vector", .is_prime = is_prime_vector, .refute = refute_vector, .pace = 16},
    {.name = "bpsw", .is_prime = is_prime_64, .refute = NULL},
};
const size_t PRIME_METHODS_COUNT = sizeof PRIME_METHODS / sizeof PRIME_METHODS[0];

size_t prime_method_find(const char *name) {
    size_t i = 0;
    while (i < PRIME_METHODS_COUNT && strcmp(PRIME_METHODS[i].name, name) != 0) {
        i++;
    }
    return i;
}
