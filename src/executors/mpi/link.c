#include "executors/mpi/link.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG = 1,
    TAG_HELLO
};

/* ---- parcels --------------------------------------------------------------------------------- */

cfi_mpi_parcel *cfi_mpi_parcel_create(cfi_mpi_kind kind, size_t room) {
    cfi_mpi_parcel *parcel = malloc(sizeof *parcel + room);
    if (parcel != NULL) {
        *parcel = (cfi_mpi_parcel){
            .size = sizeof parcel->head,
            .room = sizeof parcel->head + room,
            .head = {.kind = kind},
        };
    }
    return parcel;
}

void cfi_mpi_parcel_free(cfi_mpi_parcel *parcel) {
    free(parcel);
}

/* A parcel is moved when it grows, so who adds to it holds a pointer to the pointer. */
static bool make_room(cfi_mpi_parcel **parcel, size_t size) {
    cfi_mpi_parcel *old = *parcel;
    if (size <= old->room - old->size) {
        return true;
    }
    size_t room = old->room + (size > old->room ? size : old->room);
    cfi_mpi_parcel *larger = realloc(old, offsetof(cfi_mpi_parcel, head) + room);
    if (larger == NULL) {
        return false;
    }
    larger->room = room;
    *parcel = larger;
    return true;
}

void *cfi_mpi_parcel_add(cfi_mpi_parcel **parcel, size_t size) {
    const size_t padded = cfi_mpi_padded(size);
    if (!make_room(parcel, padded)) {
        return NULL;
    }
    unsigned char *at = (unsigned char *)&(*parcel)->head + (*parcel)->size;
    memset(at + size, 0, padded - size);
    (*parcel)->size += padded;
    return at;
}

cfi_mpi_parcel *cfi_mpi_parcel_with(cfi_mpi_kind kind, const void *entry, size_t size) {
    cfi_mpi_parcel *parcel = cfi_mpi_parcel_create(kind, cfi_mpi_padded(size));
    if (parcel != NULL && size > 0) {
        memcpy(cfi_mpi_parcel_add(&parcel, size), entry, size);
        parcel->head.count = 1;
    }
    return parcel;
}

/* ---- sending --------------------------------------------------------------------------------- */

bool cfi_mpi_link_send(cfi_mpi_link *link, cfi_mpi_parcel *parcel, int rank) {
    if (parcel == NULL) {
        return false;
    }
    const int tag = parcel->head.kind == CFI_MPI_HELLO ? TAG_HELLO : TAG;
    if (parcel->size > INT_MAX || MPI_Isend(&parcel->head, (int)parcel->size, MPI_BYTE, rank, tag,
                                            link->comm, &parcel->request) != MPI_SUCCESS) {
        free(parcel);
        return false;
    }
    parcel->next = link->under_way;
    link->under_way = parcel;
    return true;
}

bool cfi_mpi_link_dismiss(cfi_mpi_link *link, int rank, const char *sentence) {
    cfi_mpi_over over = {.sentence = ""};
    snprintf(over.sentence, sizeof over.sentence, "%s", sentence);
    return cfi_mpi_link_send(link, cfi_mpi_parcel_with(CFI_MPI_OVER, &over, sizeof over), rank);
}

bool cfi_mpi_link_push(cfi_mpi_link *link) {
    cfi_mpi_parcel **at = &link->under_way;
    while (*at != NULL) {
        cfi_mpi_parcel *parcel = *at;
        int left = 0;
        /* An error: its receiver is lost, and MPI may still look at it. */
        if (MPI_Test(&parcel->request, &left, MPI_STATUS_IGNORE) != MPI_SUCCESS || !left) {
            at = &parcel->next;
        } else {
            *at = parcel->next;
            free(parcel);
        }
    }
    return link->under_way == NULL;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Room for a message of so many bytes; that of the last message, if it has enough. NULL: no memory. */
static cfi_mpi_parcel *take_room(cfi_mpi_link *link, size_t size) {
    cfi_mpi_parcel *parcel = link->received;
    link->received = NULL;
    if (parcel == NULL || parcel->room < size) {
        cfi_mpi_parcel_free(parcel);
        parcel = cfi_mpi_parcel_create(CFI_MPI_HELLO, size);
    }
    return parcel;
}

/* The next message that MPI has heard of begins to arrive. False: there is none, or no memory. */
static bool begin_arrival(cfi_mpi_link *link, int tag) {
    int heard = 0, count = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, tag, link->comm, &heard, &status) != MPI_SUCCESS || !heard ||
        MPI_Get_count(&status, MPI_BYTE, &count) != MPI_SUCCESS) {
        return false;
    }
    cfi_mpi_parcel *parcel = take_room(link, (size_t)count);
    if (parcel == NULL || MPI_Irecv(&parcel->head, count, MPI_BYTE, status.MPI_SOURCE, tag,
                                    link->comm, &parcel->request) != MPI_SUCCESS) {
        cfi_mpi_parcel_free(parcel);
        return false;
    }
    parcel->next = NULL;
    parcel->size = (size_t)count;
    parcel->from = status.MPI_SOURCE;
    parcel->tag = tag;
    parcel->complete = false;
    cfi_mpi_parcel **last = &link->arriving;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = parcel;
    return true;
}

/* One from the same rank was sent before it, and has not come. */
static bool has_one_before(const cfi_mpi_link *link, const cfi_mpi_parcel *parcel) {
    const cfi_mpi_parcel *before = link->arriving;
    while (before != parcel && (before->from != parcel->from || before->tag != parcel->tag)) {
        before = before->next;
    }
    return before != parcel;
}

static bool is_complete(cfi_mpi_parcel *parcel) {
    int complete = parcel->complete;
    if (!complete && MPI_Test(&parcel->request, &complete, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
        complete = 0; /* its sender is lost: MPI may still write there */
    }
    parcel->complete = complete != 0;
    return parcel->complete;
}

static cfi_mpi_parcel *end_arrival(cfi_mpi_link *link, int tag) {
    for (cfi_mpi_parcel **at = &link->arriving; *at != NULL; at = &(*at)->next) {
        cfi_mpi_parcel *parcel = *at;
        if (parcel->tag == tag && is_complete(parcel) && !has_one_before(link, parcel)) {
            *at = parcel->next;
            return parcel;
        }
    }
    return NULL;
}

static const cfi_mpi_head *receive(cfi_mpi_link *link, int tag, size_t *size, int *rank) {
    cfi_mpi_parcel *parcel = end_arrival(link, tag);
    while (parcel == NULL && begin_arrival(link, tag)) {
        parcel = end_arrival(link, tag);
    }
    if (parcel == NULL) {
        return NULL;
    }
    cfi_mpi_parcel_free(link->received);
    link->received = parcel;
    *size = parcel->size;
    *rank = parcel->from;
    return parcel->size >= sizeof parcel->head ? &parcel->head : NULL;
}

const cfi_mpi_head *cfi_mpi_link_receive(cfi_mpi_link *link, size_t *size, int *rank) {
    return receive(link, TAG, size, rank);
}

const cfi_mpi_head *cfi_mpi_link_receive_hello(cfi_mpi_link *link, size_t *size, int *rank) {
    return receive(link, TAG_HELLO, size, rank);
}
