/* The calls of MPI that carry messages. One thread at a time uses a link.
 *
 *   - A parcel is a message that is being put together. It is the caller's until it is sent.
 *   - A send does not wait. The link keeps the parcel until MPI has taken its bytes.
 *   - Messages from one rank to another arrive in the order in which they were sent.
 *   - A receive does not wait either: MPI fetches a large message from its sender, who may have
 *     died. Messages from others come meanwhile.
 *   - A rank that has died takes nothing any more: what was sent to it is kept until the program ends, and so
 *     is room for what it was about to send. */
#ifndef EXECUTORS_MPI_LINK_H
#define EXECUTORS_MPI_LINK_H

#include "executors/mpi/message.h"

#include <mpi.h>

typedef struct cfi_mpi_parcel {
    struct cfi_mpi_parcel *next;
    MPI_Request request;
    size_t size, room;             /* bytes of `head` and what follows */
    int from, tag;                 /* of one that arrives */
    bool complete;                 /* likewise */
    _Alignas(8) cfi_mpi_head head; /* so are entries, and what tasks read */
} cfi_mpi_parcel;

typedef struct cfi_mpi_link {
    MPI_Comm comm;
    int rank, ranks;
    cfi_mpi_parcel *under_way;
    cfi_mpi_parcel *arriving; /* in the order in which they were sent */
    cfi_mpi_parcel *received; /* the last message; its memory is used again */
} cfi_mpi_link;

/* NULL: no memory. `room`: bytes of entries that are expected. */
cfi_mpi_parcel *cfi_mpi_parcel_create(cfi_mpi_kind kind, size_t room);
void cfi_mpi_parcel_free(cfi_mpi_parcel *parcel);

/* Adds bytes, rounded up to 8, and returns where they are to be written; valid until the next call.
 * The bytes that fill it up are zero. *parcel changes if it grows. NULL: no memory, and it is as it
 * was. */
void *cfi_mpi_parcel_add(cfi_mpi_parcel **parcel, size_t size);

/* A parcel with one entry. NULL: no memory. */
cfi_mpi_parcel *cfi_mpi_parcel_with(cfi_mpi_kind kind, const void *entry, size_t size);

/* Takes the parcel over. False: MPI refuses it. NULL is allowed, and false. */
bool cfi_mpi_link_send(cfi_mpi_link *link, cfi_mpi_parcel *parcel, int rank);

/* Sends OVER, with this sentence. False: it could not be sent. */
bool cfi_mpi_link_dismiss(cfi_mpi_link *link, int rank, const char *sentence);

/* Frees the parcels that have left. True if none is under way. */
bool cfi_mpi_link_push(cfi_mpi_link *link);

/* The next message that has arrived, HELLO apart, and its bytes and sender; valid until the next
 * call. NULL: none has, or there is no memory for it now. */
const cfi_mpi_head *cfi_mpi_link_receive(cfi_mpi_link *link, size_t *size, int *rank);

/* The same for HELLO. A rank may send it while rank 0 still ends the executor before: only the next
 * executor looks for it. */
const cfi_mpi_head *cfi_mpi_link_receive_hello(cfi_mpi_link *link, size_t *size, int *rank);

/* ---- reading a message ----------------------------------------------------------------------- */

typedef struct cfi_mpi_reader {
    const unsigned char *next, *end;
} cfi_mpi_reader;

static inline cfi_mpi_reader cfi_mpi_read(const cfi_mpi_head *head, size_t size) {
    const unsigned char *first = (const unsigned char *)head;
    return (cfi_mpi_reader){first + sizeof *head, first + size};
}

/* The next bytes, as cfi_mpi_parcel_add has added them. NULL: the message is shorter. */
static inline const void *cfi_mpi_read_next(cfi_mpi_reader *reader, size_t size) {
    const unsigned char *at = reader->next;
    if (size > (size_t)(reader->end - at) || cfi_mpi_padded(size) > (size_t)(reader->end - at)) {
        return NULL;
    }
    reader->next += cfi_mpi_padded(size);
    return at;
}

#endif
