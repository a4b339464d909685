#define _GNU_SOURCE
#include "platform/region.h"

#include "platform/assert.h"
#include "platform/cancellation.h"
#include "platform/descriptor.h"
#include "platform/own_memory.h"
#include "platform/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Asked before `call` makes a file larger: beyond RLIMIT_FSIZE it would raise SIGXFSZ, which ends the
 * program. */
static bool file_size_allowed(size_t size, const char *call) {
    struct rlimit limit;
    bool allowed = getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
                   size <= limit.rlim_cur;
    if (!allowed) {
        plat_refusal_note(call, EFBIG);
    }
    return allowed;
}

/* Returns false if the call was refused, with errno. */
static bool noted(bool succeeded, const char *call) {
    if (!succeeded) {
        plat_refusal_note(call, errno);
    }
    return succeeded;
}

/* mmap aligns to pages only, so this reserves more and gives the ends back. */
static char *map_aligned(size_t size) {
    char *start = mmap(NULL, size + PLAT_HUGE_PAGE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!noted(start != MAP_FAILED, "mmap")) {
        return NULL;
    }
    size_t before = -(uintptr_t)start % PLAT_HUGE_PAGE;
    size_t after = PLAT_HUGE_PAGE - before;
    if (before > 0) {
        munmap(start, before);
    }
    munmap(start + before + size, after);
    return start + before;
}

static bool map_file_over(char *base, size_t size, int file) {
    return file_size_allowed(size, "ftruncate") &&
           noted(ftruncate(file, (off_t)size) == 0, "ftruncate") &&
           noted(mmap(base, size, PROT_NONE, MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED,
                 "mmap");
}

static bool reserve_exactly(plat_region *region, size_t size) {
    if (region->file >= 0 && !file_size_allowed(size, "ftruncate")) {
        return false;
    }
    region->base = map_aligned(size);
    region->size = size;
    if (region->base == NULL) {
        return false;
    }
    cfi_assert((uintptr_t)region->base % PLAT_HUGE_PAGE == 0);
    if (region->file >= 0 && !map_file_over(region->base, size, region->file)) {
        munmap(region->base, size);
        return false;
    }
    if (!plat_own_memory_add(region->base, size)) {
        munmap(region->base, size);
        return false;
    }
    madvise(region->base, size, MADV_DONTDUMP);
    return true;
}

static void note_identity(plat_region *region) {
    struct stat about;
    if (region->file >= 0 && fstat(region->file, &about) == 0) {
        region->device = about.st_dev;
        region->inode = about.st_ino;
    }
}

static bool still_has_file(const plat_region *region) {
    struct stat about;
    return fstat(region->file, &about) == 0 && about.st_dev == region->device &&
           about.st_ino == region->inode;
}

bool plat_region_reserve(plat_region *region, size_t size, size_t least, bool shared) {
    cfi_assert(size % PLAT_REGION_ALIGNMENT == 0 && least > 0);
    region->file = -1;
    if (shared) {
        region->file = plat_noted_descriptor(memfd_create("cfutures", MFD_CLOEXEC), "memfd_create");
    }
    if (shared && region->file < 0) {
        return false;
    }
    for (; size >= least; size = size / 2 / PLAT_REGION_ALIGNMENT * PLAT_REGION_ALIGNMENT) {
        if (reserve_exactly(region, size)) {
            note_identity(region);
            return true;
        }
    }
    if (shared) {
        close(region->file);
    }
    return false;
}

/* fallocate undoes what it has done when a signal interrupts it. A program with a fast timer would
 * never get a large piece; this much takes some 20 us. */
#define ALLOCATED_AT_ONCE ((size_t)64 << 10)

static bool allocate_in_file(int file, size_t offset, size_t length) {
    if (!file_size_allowed(offset + length, "fallocate")) {
        return false;
    }
    const size_t end = offset + length;
    int held = plat_cancellation_hold();
    while (offset < end) {
        size_t piece = end - offset < ALLOCATED_AT_ONCE ? end - offset : ALLOCATED_AT_ONCE;
        if (fallocate(file, 0, (off_t)offset, (off_t)piece) == 0) {
            offset += piece;
        } else if (errno != EINTR) {
            plat_refusal_note("fallocate", errno);
            break;
        }
    }
    plat_cancellation_release(held);
    return offset == end;
}

/* A hint, for the whole huge pages in the range: the first touch of a small page costs as much as
 * ten small tasks. (A file's pages are allocated small in any case.) */
static void ask_for_huge_pages(char *base, size_t start, size_t end) {
    start = (start + PLAT_HUGE_PAGE - 1) / PLAT_HUGE_PAGE * PLAT_HUGE_PAGE;
    end = end / PLAT_HUGE_PAGE * PLAT_HUGE_PAGE;
    if (start < end) {
        madvise(base + start, end - start, MADV_HUGEPAGE);
    }
}

/* Memory for open pages of a file whose descriptor is gone. False: the system has none, or cannot
 * say so (before Linux 5.14). */
static bool allocate_open(char *base, size_t offset, size_t length) {
#ifdef MADV_POPULATE_WRITE
    return noted(madvise(base + offset, length, MADV_POPULATE_WRITE) == 0, "madvise");
#else
    (void)base, (void)offset, (void)length;
    plat_refusal_note("madvise", ENOSYS);
    return false;
#endif
}

bool plat_region_commit(plat_region *region, size_t offset, size_t length) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t start = offset / page * page;
    size_t end = (offset + length + page - 1) / page * page;
    cfi_assert(start < end && end <= region->size);
    bool shared = region->file >= 0, has_file = shared && still_has_file(region);
    if (has_file && !allocate_in_file(region->file, start, end - start)) {
        return false;
    }
    if (!plat_region_open(region->base, start, end - start)) {
        return false;
    }
    if (shared && !has_file && !allocate_open(region->base, start, end - start)) {
        mprotect(region->base + start, end - start, PROT_NONE);
        return false;
    }
    if (!shared) {
        ask_for_huge_pages(region->base, start, end);
        if (end - start <= PLAT_HUGE_PAGE) {
            plat_region_map(region->base, start, end - start);
        }
    }
    return true;
}

bool plat_region_open(char *base, size_t offset, size_t length) {
    if (!noted(mprotect(base + offset, length, PROT_READ | PROT_WRITE) == 0, "mprotect")) {
        return false;
    }
    madvise(base + offset, length, MADV_DODUMP);
    return true;
}

void plat_region_map(char *base, size_t offset, size_t length) {
#ifdef MADV_POPULATE_WRITE
    madvise(base + offset, length, MADV_POPULATE_WRITE);
#else
    (void)base, (void)offset, (void)length;
#endif
}

bool plat_region_share_page(plat_region *region) {
    region->size = (size_t)sysconf(_SC_PAGESIZE);
    region->file = -1;
    region->base = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return noted(region->base != MAP_FAILED, "mmap");
}

void plat_region_release(plat_region *region) {
    plat_own_memory_remove(region->base);
    if (region->file >= 0) { /* forked processes may still map it: free its memory */
        int held = plat_cancellation_hold();
        if (still_has_file(region)) {
            fallocate(region->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      (off_t)region->size);
            close(region->file);
        } else {
            mprotect(region->base, region->size, PROT_READ | PROT_WRITE); /* else it is refused */
            madvise(region->base, region->size, MADV_REMOVE);
        }
        plat_cancellation_release(held);
    }
    munmap(region->base, region->size);
}
