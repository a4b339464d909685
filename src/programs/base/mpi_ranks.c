#include "programs/base/mpi_ranks.h"

#include "programs/base/output.h"

#include <cfutures_mpi.h>
#include <error.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- before MPI is initialised --------------------------------------------------------------- */

bool mpi_ranks_is_helper(void) {
    /* Open MPI's mpirun; MPICH's, and srun --mpi=pmi2; srun --mpi=pmix */
    static const char *const RANK[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof RANK / sizeof RANK[0]; i++) {
        const char *rank = getenv(RANK[i]);
        if (rank != NULL) {
            return strcmp(rank, "0") != 0;
        }
    }
    return false;
}

static struct {
    bool muted;
    int saved[STDERR_FILENO + 1];
} mute;

static void end_muted(void) {
    if (mute.muted) {
        _exit(EXIT_SUCCESS);
    }
}

void mpi_ranks_mute(void) {
    if (!mpi_ranks_is_helper() || atexit(end_muted) != 0) {
        return;
    }
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        mute.saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        dup2(nowhere, fd);
    }
    if (nowhere > STDERR_FILENO) {
        close(nowhere);
    }
    mute.muted = true;
}

void mpi_ranks_unmute(void) {
    for (int fd = STDOUT_FILENO; mute.muted && fd <= STDERR_FILENO; fd++) {
        dup2(mute.saved[fd], fd);
        close(mute.saved[fd]);
    }
    mute.muted = false;
}

/* ---- the executor ---------------------------------------------------------------------------- */

/* On a thread of the library's. */
static void tell(void *context, const char *sentence) {
    (void)context;
    error(0, 0, "%s", sentence);
}

cf_status mpi_ranks_create(const cf_pool_options *options, cf_executor **executor) {
    const cf_mpi_options mpi = {.report = tell};
    mpi_ranks_unmute();
    const cf_status status = cf_mpi_create(options, &mpi, executor);
    if (status == CF_ESERVED) {
        exit(EXIT_SUCCESS);
    }
    if (status != CF_OK) {
        error(EXIT_ITEM, 0, "cannot create the executor: %s", cf_mpi_reason());
    }
    return status;
}

unsigned mpi_ranks_count(cf_executor *executor) {
    unsigned ranks, working;
    return cf_mpi_ranks(executor, &ranks, &working) == CF_OK ? working : 0;
}
