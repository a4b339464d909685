#define _GNU_SOURCE
#include "executors/mpi/job.h"

#include "executors/mpi/parent.h"
#include "executors/mpi/pause.h"
#include "executors/mpi/place.h"

#include "platform/clock.h"
#include "platform/thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PUSH_NS INT64_C(100000000)  /* for the last messages to leave */
#define BYE_NS  INT64_C(1000000000) /* for the last messages to come */

enum {
    FINALIZE_SECONDS =
        5 /* MPI_Finalize may take: all ranks have said that they are about to call it */
};

enum {
    TAG_MEET = 31985 /* on MPI_COMM_WORLD, only until all ranks have called cf_mpi_create */
};

/* The job outlives its executors. Only one thread uses it: cf_mpi_create refuses a second executor. */
static struct {
    cfi_mpi_link link;
    bool joined;
    bool ours;  /* to finalise */
    bool alone; /* some rank is lost */
    bool ends;  /* rank 0 has said so */
    pid_t pid;
    unsigned sharers;      /* 0 = not known yet */
    bool *lost;            /* by rank; NULL = none is */
    cfi_mpi_place *places; /* by rank; empty = unknown; NULL = all are */
    void *executor;        /* of rank 0, and how to halt it; NULL = none */
    bool (*halt)(void *executor);
    int missing; /* the rank that has not called, as it was sent to others; 0 = none */
    char reason[64];
} job;

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_over(int rank) {
    const cfi_mpi_place own = cfi_mpi_place_of_process();
    return job.places != NULL && cfi_mpi_place_is_seen(&own, &job.places[rank]) &&
           cfi_mpi_place_is_over(&job.places[rank]);
}

/* Rank 0 tells the others that no executor will come any more. */
static void tell_end(void) {
    for (int i = 1; i < job.link.ranks; i++) {
        if (!cfi_mpi_job_has_lost(i) && is_over(i)) {
            cfi_mpi_job_lose(i, true);
        }
        job.alone = job.alone || cfi_mpi_job_has_lost(i);
    }
    const uint32_t alone = job.alone;
    for (int i = 1; i < job.link.ranks; i++) {
        if (!cfi_mpi_job_has_lost(i)) {
            cfi_mpi_link_send(&job.link, cfi_mpi_parcel_with(CFI_MPI_END, &alone, sizeof alone), i);
        }
    }
}

/* Nothing that was sent may be left to MPI_Finalize: MPICH complains of it. Without MPI_Finalize
 * only what rank 0 has sent must leave. */
static void await_byes(void) {
    int64_t pause_ns = CFI_MPI_PAUSE_LEAST;
    const int64_t until_ns = plat_now_ns() + (job.alone ? PUSH_NS : BYE_NS);
    int byes = 0, others = 0;
    for (int i = 1; i < job.link.ranks; i++) {
        others += !job.alone && !cfi_mpi_job_has_lost(i);
    }
    while ((byes < others || !cfi_mpi_link_push(&job.link)) && plat_now_ns() < until_ns) {
        size_t size;
        int from;
        const cfi_mpi_head *head = cfi_mpi_link_receive(&job.link, &size, &from);
        byes += head != NULL && head->kind == CFI_MPI_BYE;
        if (head == NULL) {
            cfi_mpi_pause_longer(&pause_ns);
        }
    }
    size_t size;
    int from;
    while (cfi_mpi_link_receive_hello(&job.link, &size, &from) != NULL) {}
}

/* The others wait for that, in pauses: MPI_Finalize would use up a processor until rank 0 calls it,
 * and would never return if rank 0 has died. */
static void wait_for_end(void) {
    int64_t pause_ns = CFI_MPI_PAUSE_LEAST;
    while (!job.ends && !job.alone) {
        size_t size;
        int from;
        const cfi_mpi_head *head = cfi_mpi_link_receive(&job.link, &size, &from);
        if (head != NULL && head->kind == CFI_MPI_END) {
            cfi_mpi_reader reader = cfi_mpi_read(head, size);
            const uint32_t *alone = cfi_mpi_read_next(&reader, sizeof *alone);
            cfi_mpi_job_ends(alone != NULL && *alone != 0);
        } else if (head == NULL && (is_over(0) || cfi_mpi_parent_is_over())) {
            job.alone = true;
        } else if (head == NULL) {
            cfi_mpi_pause_longer(&pause_ns);
        }
    }
    if (!job.alone) {
        cfi_mpi_link_send(&job.link, cfi_mpi_parcel_create(CFI_MPI_BYE, 0), 0);
        cfi_mpi_link_push(&job.link);
    }
}

static atomic_bool left;

/* If a rank dies inside MPI_Finalize, it never returns in the others (Open MPI). */
static void *watch_finalize(void *context) {
    const int *status = context;
    sleep(FINALIZE_SECONDS); /* no signal ends it: they are blocked here */
    if (!atomic_load(&left)) {
        dprintf(STDERR_FILENO, "rank %d: MPI_Finalize does not return: did a rank die in it?\n",
                job.link.rank);
        _exit(*status);
    }
    return NULL;
}

static void finalise(int status) {
    static int kept;
    pthread_t watcher;
    kept = status;
    const bool watched = plat_thread_start(&watcher, watch_finalize, &kept) == 0;
    MPI_Finalize();
    atomic_store(&left, true);
    if (watched) {
        pthread_detach(watcher);
    }
}

/* At exit. A forked child has nothing to do with MPI. */
static void leave(int status, void *context) {
    (void)context;
    int finalised = 0;
    if (job.pid != getpid() || (job.executor != NULL && !job.halt(job.executor)) ||
        MPI_Finalized(&finalised) != MPI_SUCCESS || finalised) {
        return;
    }
    if (job.joined && job.link.rank == 0) {
        tell_end();
        await_byes();
    } else if (job.joined) {
        wait_for_end();
    }
    if (!job.alone) {
        finalise(status);
    }
}

#ifdef __GLIBC__
static bool call_at_exit(void) {
    return on_exit(leave, NULL) == 0;
}
#else
static void leave_somehow(void) {
    leave(EXIT_FAILURE, NULL);
}

static bool call_at_exit(void) {
    return atexit(leave_somehow) == 0;
}
#endif

/* ---- the beginning --------------------------------------------------------------------------- */

static cf_status initialise(const char **reason) {
    int initialised = 0, provided = MPI_THREAD_SINGLE;
    if (MPI_Initialized(&initialised) != MPI_SUCCESS) {
        *reason = "MPI cannot say whether it is initialised";
        return CF_EUNSUPPORTED;
    }
    if (!initialised) {
        if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS) {
            *reason = "MPI_Init_thread failed";
            return CF_EUNSUPPORTED;
        }
        job.ours = true;
    } else if (MPI_Query_thread(&provided) != MPI_SUCCESS) {
        *reason = "MPI_Query_thread failed";
        return CF_EUNSUPPORTED;
    }
    if (provided < MPI_THREAD_SERIALIZED) {
        *reason = "MPI must be initialised with MPI_THREAD_SERIALIZED at least";
        return CF_EUNSUPPORTED;
    }
    return CF_OK;
}

/* No collective call before all ranks are there: MPI would wait for them without end. So each rank
 * tells rank 0 that it has come, and rank 0 tells all whom it has missed. */
static void tell_missing(int ranks) {
    for (int i = 1; i < ranks; i++) {
        MPI_Request request;
        if (MPI_Isend(&job.missing, 1, MPI_INT, i, TAG_MEET, MPI_COMM_WORLD, &request) ==
            MPI_SUCCESS) {
            MPI_Request_free(&request);
        }
    }
}

static int first_missing(const bool *came, int ranks) {
    int rank = 1;
    while (rank < ranks && came[rank]) {
        rank++;
    }
    return rank < ranks ? rank : 0;
}

/* False: no memory. */
static bool meet_others(int ranks, int64_t patience_ns) {
    const int64_t until_ns = plat_now_ns() + patience_ns;
    bool *came = calloc((size_t)ranks, sizeof *came);
    int64_t pause_ns = CFI_MPI_PAUSE_LEAST;
    while (came != NULL && (job.missing = first_missing(came, ranks)) != 0 &&
           plat_now_ns() < until_ns) {
        int arrived = 0;
        MPI_Status status;
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_MEET, MPI_COMM_WORLD, &arrived, &status);
        if (arrived) {
            MPI_Recv(NULL, 0, MPI_INT, status.MPI_SOURCE, TAG_MEET, MPI_COMM_WORLD, &status);
            came[status.MPI_SOURCE] = true;
        } else {
            cfi_mpi_parent_check(ranks > 1);
            cfi_mpi_pause_longer(&pause_ns);
        }
    }
    tell_missing(ranks);
    free(came);
    return came != NULL;
}

static void meet_rank_0(void) {
    MPI_Request request;
    int arrived = 0;
    int64_t pause_ns = CFI_MPI_PAUSE_LEAST;
    MPI_Isend(NULL, 0, MPI_INT, 0, TAG_MEET, MPI_COMM_WORLD, &request);
    MPI_Request_free(&request);
    while (MPI_Iprobe(0, TAG_MEET, MPI_COMM_WORLD, &arrived, MPI_STATUS_IGNORE) == MPI_SUCCESS &&
           !arrived) {
        if (cfi_mpi_parent_is_over()) {
            _exit(EXIT_FAILURE);
        }
        cfi_mpi_pause_longer(&pause_ns);
    }
    MPI_Recv(&job.missing, 1, MPI_INT, 0, TAG_MEET, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static cf_status meet(int64_t patience_ns, const char **reason) {
    int rank = 0, ranks = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (rank > 0) {
        meet_rank_0();
    } else if (!meet_others(ranks, patience_ns)) {
        *reason = "rank 0 has no memory";
        return CF_ENOMEM;
    }
    job.alone = job.missing != 0;
    snprintf(job.reason, sizeof job.reason, "rank %d has not called cf_mpi_create", job.missing);
    *reason = job.reason;
    return job.missing == 0 ? CF_OK : CF_ETIMEDOUT;
}

cfi_mpi_link *cfi_mpi_job_join(int64_t patience_ns, cf_status *status, const char **reason) {
    if (job.joined) {
        return &job.link;
    }
    cfi_mpi_parent_note();
    *status = initialise(reason);
    if (*status != CF_OK) {
        return NULL;
    }
    if (job.ours && job.pid == 0 && !call_at_exit()) {
        *reason = "no memory for a function that is called at exit";
        *status = CF_ENOMEM;
        return NULL;
    }
    job.pid = getpid();
    *status = meet(patience_ns, reason);
    if (*status != CF_OK) {
        return NULL;
    }
    if (MPI_Comm_dup(MPI_COMM_WORLD, &job.link.comm) != MPI_SUCCESS ||
        MPI_Comm_set_errhandler(job.link.comm, MPI_ERRORS_RETURN) != MPI_SUCCESS ||
        MPI_Comm_rank(job.link.comm, &job.link.rank) != MPI_SUCCESS ||
        MPI_Comm_size(job.link.comm, &job.link.ranks) != MPI_SUCCESS) {
        *reason = "MPI cannot duplicate MPI_COMM_WORLD";
        *status = CF_EUNSUPPORTED;
        return NULL;
    }
    job.joined = true;
    return &job.link;
}

bool cfi_mpi_job_is_inherited(void) {
    return job.joined && job.pid != getpid();
}

/* ---- processors ------------------------------------------------------------------------------ */

typedef struct share {
    cpu_set_t processors;
    int runs_tasks;
} share;

static unsigned count_sharers(const share *all, int count, const share *own) {
    unsigned sharers = 0;
    for (int i = 0; i < count; i++) {
        cpu_set_t both;
        CPU_AND(&both, &all[i].processors, &own->processors);
        sharers += all[i].runs_tasks != 0 && CPU_COUNT(&both) > 0;
    }
    return sharers > 0 ? sharers : 1;
}

bool cfi_mpi_job_compare(bool runs_tasks) {
    MPI_Comm node;
    int count = 0;
    share own = {.runs_tasks = runs_tasks};
    if (job.sharers != 0) {
        return true;
    }
    if (sched_getaffinity(0, sizeof own.processors, &own.processors) != 0) {
        memset(&own.processors, 0xff, sizeof own.processors);
    }
    if (MPI_Comm_split_type(job.link.comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node) !=
            MPI_SUCCESS ||
        MPI_Comm_size(node, &count) != MPI_SUCCESS) {
        return false;
    }
    share *all = malloc((size_t)count * sizeof *all);
    bool known = all != NULL && MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE,
                                              node) == MPI_SUCCESS;
    job.sharers = known ? count_sharers(all, count, &own) : 1;
    free(all);
    return MPI_Comm_free(&node) == MPI_SUCCESS;
}

unsigned cfi_mpi_job_sharers(void) {
    return job.sharers > 0 ? job.sharers : 1;
}

/* ---- ranks that are lost --------------------------------------------------------------------- */

void cfi_mpi_job_ends(bool alone) {
    job.ends = true;
    job.alone = job.alone || alone;
}

void cfi_mpi_job_lead(void *executor, bool (*halt)(void *executor)) {
    job.executor = executor;
    job.halt = halt;
}

void cfi_mpi_job_note_place(int rank, const cfi_mpi_place *place) {
    if (job.places == NULL) {
        job.places = calloc((size_t)job.link.ranks, sizeof *job.places);
    }
    if (job.places != NULL) {
        job.places[rank] = *place;
    }
}

bool cfi_mpi_job_has_lost(int rank) {
    return job.lost != NULL && job.lost[rank];
}

void cfi_mpi_job_lose(int rank, bool lost) {
    if (job.lost == NULL) {
        job.lost = calloc((size_t)job.link.ranks, sizeof *job.lost);
    }
    if (job.lost != NULL) {
        job.lost[rank] = lost;
    }
}
