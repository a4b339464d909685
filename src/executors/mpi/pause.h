/* How a thread waits for messages: MPI cannot wake it. So it looks again and again, with pauses that grow
 * with the time in which nothing came: about 3 % of that, a millisecond at most. So a message waits little
 * longer than 3 % of the time that has passed since the one before, and an idle thread takes less than a
 * hundredth of a processor. */
#ifndef EXECUTORS_MPI_PAUSE_H
#define EXECUTORS_MPI_PAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>

/* So long it looks again at once, after it has offered its processor to others. Shorter than the way of a task
 * there and back, an idle rank would pause in each: with 20 us that took 180 us, with 150 us it takes 60 (AMD
 * EPYC, Zen 5, all ranks on two cores). */
#define CFI_MPI_SPIN_NS INT64_C(150000)

#define CFI_MPI_PAUSE_LEAST INT64_C(10000)
#define CFI_MPI_PAUSE_MOST  INT64_C(1000000)
#define CFI_MPI_PAUSE_WORK  INT64_C(250000)

enum {
    CFI_MPI_PAUSE_SHARE = 32
};

static inline bool cfi_mpi_spins(int64_t quiet_ns) {
    return quiet_ns < CFI_MPI_SPIN_NS;
}

/* Nanoseconds, after nothing has come for quiet_ns; `most` at most. */
static inline int64_t cfi_mpi_pause_ns(int64_t quiet_ns, int64_t most_ns) {
    const int64_t pause_ns = quiet_ns / CFI_MPI_PAUSE_SHARE;
    return pause_ns < CFI_MPI_PAUSE_LEAST ? CFI_MPI_PAUSE_LEAST
           : pause_ns > most_ns           ? most_ns
                                          : pause_ns;
}

/* Of rank 0 while tasks are under way, for whose end ranks wait: 0.25 ms at most, or 0.4 % of the time that
 * tasks take already. */
static inline int64_t cfi_mpi_pause_at_work_ns(int64_t quiet_ns) {
    const int64_t part_ns = quiet_ns / 256;
    return cfi_mpi_pause_ns(quiet_ns, part_ns < CFI_MPI_PAUSE_WORK   ? CFI_MPI_PAUSE_WORK
                                      : part_ns < CFI_MPI_PAUSE_MOST ? part_ns
                                                                     : CFI_MPI_PAUSE_MOST);
}

/* Where a rank waits for another one to come, at the beginning and at the end: each pause is twice as long as the
 * one before, 5 ms at most. */
static inline void cfi_mpi_pause_longer(int64_t *pause_ns) {
    const int64_t most_ns = 5000000;
    const struct timespec pause = {.tv_nsec = (long)*pause_ns};
    nanosleep(&pause, NULL);
    *pause_ns = *pause_ns < most_ns / 2 ? *pause_ns * 2 : most_ns;
}

/* The kernel makes each pause of the calling thread longer by up to 50 us, to save wake-ups, unless it is
 * told otherwise. Returns what it was told before. */
static inline int cfi_mpi_pause_exactly(void) {
    const int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    return before;
}

static inline void cfi_mpi_pause_as_before(int slack_ns) {
    prctl(PR_SET_TIMERSLACK, slack_ns > 0 ? slack_ns : 0, 0, 0, 0);
}

#endif
