/* In place of descriptors: the numbers that ../../processes.c gives. */
#ifndef PLATFORM_DESCRIPTOR_H
#define PLATFORM_DESCRIPTOR_H

#include <stdbool.h>

static inline int plat_descriptor_above_standard(int made) {
    return made;
}

static inline int plat_descriptor_out_of_the_way(int made) {
    return made;
}

static inline bool plat_descriptor_is_anonymous(int file) {
    return file >= 0;
}

#endif
