/* A range of addresses, reserved at once and given memory piece by piece.
 *
 *   - A shared region is an anonymous file (memfd) that forked processes share at the same
 *     addresses. Memory is allocated when a piece is committed: if the system has none, commit
 *     fails, and the first touch raises no SIGBUS.
 *   - A private region is ordinary anonymous memory.
 *   - Memory that is not committed cannot be touched. Else a program that reads or locks all memory
 *     would fill the whole reserve: valgrind's search for leaks filled 17 GiB, and mlockall would
 *     do the same.
 *   - Protection is each process's own: a process opens for itself the pieces that another has
 *     committed.
 *   - A core dump has the open pieces only. To dump a shared page, the kernel allocates it: without
 *     advice a crash would fill the whole reserve. */
#ifndef PLATFORM_REGION_H
#define PLATFORM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAT_REGION_ALIGNMENT 65536u     /* of a region's size */
#define PLAT_HUGE_PAGE        (2u << 20) /* the base address is aligned to it */

typedef struct plat_region {
    char *base;
    size_t size;
    int file;               /* -1 if private */
    uint64_t device, inode; /* of the file: a program may close it, and open another in its place */
} plat_region;

/* size: a multiple of PLAT_REGION_ALIGNMENT. If addresses or the file-size limit (RLIMIT_FSIZE) do
 * not suffice, halves it until they do, but not below `least`. False: none available. */
bool plat_region_reserve(plat_region *region, size_t size, size_t least, bool shared);

/* Makes [offset, offset + length) usable, widened to whole pages. New pages are zeroed; pages
 * committed before keep their content. Private memory asks for huge pages where the piece
 * holds whole ones, and puts the pages of a piece of at most PLAT_HUGE_PAGE in place, which saves the
 * page fault at the first touch of each. False: the system has no memory.
 * Thread-safe. */
bool plat_region_commit(plat_region *region, size_t offset, size_t length);

/* One zeroed page that forked processes share, usable at once: it needs none of the care above. */
bool plat_region_share_page(plat_region *region);

/* Makes [offset, offset + length) of a region usable in this process after another process has
 * committed it. */
bool plat_region_open(char *base, size_t offset, size_t length);

/* Puts the pages of a committed piece in place in this process, if the system can (Linux 5.14). It
 * has no other effect. */
void plat_region_map(char *base, size_t offset, size_t length);

void plat_region_release(plat_region *region);

#endif
