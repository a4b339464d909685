/* Every number of the core that was found by measuring, with what it is good for and what it brings.
 *
 * Measured on 2 cores of an AMD EPYC (Zen 5), 2 workers and one submitter, medians of alternating
 * runs. "A task" is one of 10^6 tiny ones, submitted one by one, each result read. Figures move by
 * a tenth from day to day; what counts is which way they go when a number is changed alone. (What the
 * lock with an owner goes by stands with it, in platform/biased_lock.c.) */
#ifndef CFUTURES_TUNING_H
#define CFUTURES_TUNING_H

/* ---- claiming: queue.c ----------------------------------------------------------------------- */

enum {
    /* Tasks that a worker claims at once, at most: the cursor is changed once for all of them. 1: a
     * task costs 9 ns more (35 to 45). */
    CFI_CLAIM_MOST = 32,

    /* And one in so many for each worker of those that are pending, so that little is claimed where
     * little is left. 2: no difference for tiny tasks. */
    CFI_CLAIM_SHARES = 8,

    /* Tasks that submit_many publishes before it starts workers for them, and gives others a turn at the lock:
     * some 8 us. With 64, thirty threads had nothing left while the caller, one of many who wanted a
     * processor, had not come back; they fell asleep and were woken, 50 barriers for 194 downloads. */
    CFI_SUBMIT_BATCH = 256,

    /* Claims after which a worker looks first at what others have claimed and not begun. */
    CFI_CLAIMS_A_TURN = 64,
};

/* ---- waiting: queue.c, future.c, watch.c ----------------------------------------------------- */

enum {
    /* How long one worker looks for work before it sleeps. To sleep and be woken takes some 12 us, so
     * it loses at most twice what it could have gained. 0: a round trip takes 2.5 us and not 0.24. */
    CFI_SEARCH_NS = 20000,
    CFI_SEARCH_LOOKS = 64, /* between two readings of the clock, 40 ns each */

    /* Looks of a caller at what it waits for before it sleeps, some 2 us: as long as a small task
     * takes. More would take the processor from the worker where there are as many workers as
     * processors. */
    CFI_WAIT_LOOKS = 64,
};

/* ---- chunks of maps and streams: stream.c ---------------------------------------------------- */

enum {
    /* A chunk's work, where the library chooses. To send one, and for the caller to be woken for it,
     * costs some 5 us: a hundredth. */
    CFI_CHUNK_NS = 500000,

    /* The next one is at most so many times as long, since what is known of the items is little at
     * first: 1, 16, 256 and 4096 of them take four round trips. */
    CFI_CHUNK_GROWTH = 16,

    /* Near the end one in so many for each worker of the items that are left, but no less than this
     * takes to send. */
    CFI_CHUNK_SHARES = 4,
    CFI_CHUNK_LEAST_NS = 20000,

    /* Chunks that are under way for each worker: one that is run, one that is next, and one that is
     * done while the caller sleeps. */
    CFI_CHUNKS_UNDER_WAY = 3,

    /* Of arguments and results that are copied: no more than half of a second-level cache. With 128 KiB
     * an item of a map on processes costs a third more, as workers wait for the caller, who has to be
     * woken; with 1 MiB the same. Direct chunks need no bound but one for the first guess. */
    CFI_CHUNK_SENT_BYTES = 512 << 10,
    CFI_CHUNK_ITEMS = 1 << 20,

    /* What a worker has not begun is taken from it if it is worth more than this, several times what
     * taking it costs; and while a worker is idle that is looked at so often, then ever less. */
    CFI_TAKE_BACK_NS = 20000,
    CFI_LOOK_NS = 200000,
    CFI_LOOK_MOST_NS = 5000000,
};

#endif
