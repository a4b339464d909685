/* Cache lines: what one thread writes for each task does not lie with what another one reads for each.
 *
 * Else the line goes there and back for each task, which takes 134 ns on an Intel Sapphire Rapids.
 * Such a processor fetches lines in pairs of 128 bytes, so two lines of a pair count as one. An AMD EPYC
 * fetches single lines, and loses nothing by the distance. */
#ifndef PLATFORM_LINE_H
#define PLATFORM_LINE_H

#include <stddef.h>

enum {
    PLAT_LINE_PAIR = 128
};

/* No pair of lines has bytes of both members, wherever the struct begins; `before` comes first. */
#define PLAT_APART(type, before, after)                                                            \
    (offsetof(type, after) >=                                                                      \
     offsetof(type, before) + sizeof(((type *)NULL)->before) + PLAT_LINE_PAIR - 1)

/* The same of two words in a struct that is aligned to a pair. */
#define PLAT_IN_OTHER_PAIR(type, one, other)                                                       \
    (offsetof(type, one) / PLAT_LINE_PAIR != offsetof(type, other) / PLAT_LINE_PAIR)

#endif
