/* A stretch of addresses, reserved at once and given memory piece by piece.
 *
 * A shared region is one anonymous file (memfd) that forked processes share at the same addresses;
 * its memory is allocated when a piece is committed, so that a system without memory says so there
 * and does not raise SIGBUS at the first touch. A private one is ordinary anonymous memory.
 *
 * What is not committed cannot be touched. That is for those who go through all that a process has:
 * mlockall, or valgrind's search for leaks, would else fill the whole reserve. Protection is a
 * process's own, so the others open for themselves what one of them has committed. */
#ifndef PLATFORM_REGION_H
#define PLATFORM_REGION_H

#include <stdbool.h>
#include <stddef.h>

#define CFI_REGION_ALIGNMENT 65536u     /* of a region's size */
#define CFI_HUGE_PAGE        (2u << 20) /* the base address is aligned to it */

typedef struct cfi_region {
    char *base;
    size_t size;
    int file; /* -1 if private */
} cfi_region;

/* size: a multiple of CFI_REGION_ALIGNMENT. Where addresses or the file-size limit (RLIMIT_FSIZE)
 * do not suffice for it, takes less, halving, but not less than `least`. False: none to be had. */
bool cfi_region_reserve(cfi_region *region, size_t size, size_t least, bool shared);

/* Makes [offset, offset + length) usable, zeroed at first; in private memory with huge pages where it
 * holds whole ones; pieces committed before keep what they
 * hold. Widened to whole pages. False when the system has no memory for it. Thread-safe. */
bool cfi_region_commit(cfi_region *region, size_t offset, size_t length);

/* One zeroed page that forked processes share, usable at once; too small for the care above. */
bool cfi_region_share_page(cfi_region *region);

/* Makes [offset, offset + length) of a region usable in this process, after it was committed in
 * another. */
bool cfi_region_open(char *base, size_t offset, size_t length);

/* Puts the pages of a committed piece in place in this process, if the system can (Linux 5.14). It has
 * no other effect. */
void cfi_region_map(char *base, size_t offset, size_t length);

void cfi_region_release(cfi_region *region);

#endif
