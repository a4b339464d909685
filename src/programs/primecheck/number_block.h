/* A piece of the input, whole tokens only: what a worker gets. */
#ifndef PROGRAMS_NUMBER_BLOCK_H
#define PROGRAMS_NUMBER_BLOCK_H

#include <stdint.h>

/* Bytes behind the text that may be read: newlines. */
#define NUMBER_BLOCK_SLACK 40

typedef struct number_block {
    uint64_t seq;  /* of the block, from 1, in the order of the input; the reader leaves it alone */
    uint64_t from; /* bytes of the input before the text */
    uint64_t line; /* of the input, from 1, on which the text begins */
    uint64_t is_cut; /* not 0: the text ends inside a token, whose rest is passed over */
    uint64_t length; /* of the text */
    char text[];
} number_block;

#endif
