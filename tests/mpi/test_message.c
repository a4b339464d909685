/* What is put into a parcel is read from the message as it was. A message that is shorter than it says ends
 * early, and nothing beyond it is read. */
#include "../check.h"

#include "executors/mpi/link.h"

#include <stdlib.h>
#include <string.h>

TestSuite(message, .timeout = TEST_SECONDS);

static size_t size_of(uint64_t *seed) {
    return random_next(seed) % 3 == 0 ? random_next(seed) % 5000 : random_next(seed) % 20;
}

Test(message, is_read_as_it_was_written) {
    uint64_t seed = test_seed("message/is_read_as_it_was_written");
    for (size_t round = scaled(200); round > 0; round--) {
        enum {
            ENTRIES = 50
        };
        const size_t room = random_next(&seed) % 100;
        size_t sizes[ENTRIES];
        cfi_mpi_parcel *parcel = cfi_mpi_parcel_create(CFI_MPI_TASKS, room);
        for (size_t i = 0; i < ENTRIES; i++) {
            sizes[i] = size_of(&seed);
            unsigned char *at = cfi_mpi_parcel_add(&parcel, sizes[i]);
            cr_assert(at != NULL && (uintptr_t)at % 8 == 0);
            memset(at, (int)i, sizes[i]);
            cr_assert(parcel->size <= parcel->room);
        }
        EXPECT_EQ(parcel->head.kind, CFI_MPI_TASKS);
        cfi_mpi_reader reader = cfi_mpi_read(&parcel->head, parcel->size);
        for (size_t i = 0; i < ENTRIES; i++) {
            const unsigned char *at = cfi_mpi_read_next(&reader, sizes[i]);
            cr_assert(at != NULL);
            for (size_t k = 0; k < cfi_mpi_padded(sizes[i]); k++) {
                EXPECT_EQ(at[k], k < sizes[i] ? i : 0);
            }
        }
        cr_assert(cfi_mpi_read_next(&reader, 1) == NULL);
        cr_assert(reader.next == reader.end);
        cfi_mpi_parcel_free(parcel);
    }
}

/* The message lies at the end of its memory: a sanitizer or valgrind sees what is read beyond it. */
Test(message, that_is_cut_short_ends_early) {
    enum {
        SIZE = 40
    };
    for (size_t cut = 0; cut <= SIZE; cut++) {
        const size_t whole = sizeof(cfi_mpi_head) + SIZE - cut;
        cfi_mpi_head *head = calloc(1, whole);
        for (size_t size = 0; size <= SIZE + 16; size++) {
            cfi_mpi_reader reader = cfi_mpi_read(head, whole);
            const bool fits = cfi_mpi_padded(size) <= SIZE - cut;
            EXPECT_EQ(cfi_mpi_read_next(&reader, size) != NULL, fits);
            cr_assert(reader.next <= reader.end);
        }
        cfi_mpi_reader reader = cfi_mpi_read(head, whole);
        cr_assert(cfi_mpi_read_next(&reader, SIZE_MAX) == NULL);
        cr_assert(cfi_mpi_read_next(&reader, SIZE_MAX - 6) == NULL);
        cr_assert(cfi_mpi_read_next(&reader, SIZE_MAX / 2) == NULL);
        free(head);
    }
}

Test(message, with_one_entry) {
    const char text[] = "rank 3 runs another build";
    cfi_mpi_parcel *parcel = cfi_mpi_parcel_with(CFI_MPI_OVER, text, sizeof text);
    cr_assert(parcel != NULL);
    EXPECT_EQ(parcel->head.count, 1);
    cfi_mpi_reader reader = cfi_mpi_read(&parcel->head, parcel->size);
    const char *read = cfi_mpi_read_next(&reader, sizeof text);
    cr_assert(read != NULL);
    cr_assert_str_eq(read, text);
    cfi_mpi_parcel_free(parcel);
    parcel = cfi_mpi_parcel_with(CFI_MPI_STOP, NULL, 0);
    EXPECT_EQ(parcel->head.count, 0);
    EXPECT_EQ(parcel->size, sizeof(cfi_mpi_head));
    cfi_mpi_parcel_free(parcel);
}
