/* Every number of the core that was found by measuring, with its use and its effect.
 *
 * Measured on 2 cores of an AMD EPYC (Zen 5), with 2 workers and one submitter: medians of
 * alternating runs. "A task" is one of 10^6 tiny ones, submitted one by one, each result read.
 * Figures vary by a tenth from day to day; what counts is their direction when one number changes.
 * (The numbers of the biased lock are in platform/biased_lock.c.)
 *
 * What has no number, each switched off alone on that machine (9 to 15 rounds, a task of the later
 * passes of `bench/run submit`, gcc 12):
 *
 *      biased lock (platform/biased_lock.h)     a mutex: 88 ns a task on threads instead of 26, and
 *                                               62 on processes instead of 23
 *      the searcher (wakeup.h)                  none: a round trip takes 8.8 us instead of 0.23
 *      release in a batch, and by a plain store (core/reference.c): without both 3 to 9 % more on
 *                                               threads, 5 % on processes; they save two locked
 *                                               instructions a task, of 6 ns each on an Intel Xeon
 *      items in the caller's arrays (map.c)     copied: a map on threads takes 1.17 times as long
 *      taking items back (batch/share_out.c)    none: 1.54 times as long where long items come last
 *                                               (`bench/run map`, balance, 400 000 items of 100 ns)
 *      a turn for others' claims (queue.c)      none: a task costs the same. It is there so that no
 *                                               claimed task waits while new ones keep coming */
#ifndef CFUTURES_TUNING_H
#define CFUTURES_TUNING_H

/* ---- claiming: queue.c, core/submission.c ---------------------------------------------------- */

enum {
    /* The most tasks that a worker claims at once: the cursor changes hands once for all of them.
     * 8: a task costs 1.2 to 1.3 times as much. 1: 1.9 times on threads, 1.75 on processes. */
    CFI_CLAIM_MAX = 32,

    /* A worker claims at most pending / (CFI_CLAIM_DIVISOR * workers), but at least one: few tasks
     * when few are left. 2: no difference for tiny tasks. */
    CFI_CLAIM_DIVISOR = 8,

    /* Tasks that submit_many publishes, in some 8 us, before it starts workers for them and gives
     * other threads a turn at the lock. 64: thirty worker threads ran out of tasks while the caller
     * waited for a processor. They fell asleep and were woken: 50 barriers for 194 downloads. */
    CFI_SUBMIT_BATCH = 256,

    /* How many slots ahead of the one that it begins a worker fetches. 0: with 1024 tasks under way a
     * task costs 1.2 times as much on an Intel Xeon; 3 is as good there. */
    CFI_FETCH_AHEAD = 6,

    /* Every so many claims a worker looks first at what others have claimed and not begun. */
    CFI_CLAIMS_A_TURN = 64,
};

/* ---- waiting: queue.c, waiting/await.c ------------------------------------------------------- */

enum {
    /* How long one worker searches for work before it sleeps. Sleeping and being woken takes some
     * 12 us, so a vain search loses less than twice what a good one gains. 0: a round trip takes
     * 2.5 us instead of 0.24 us. */
    CFI_SEARCH_NS = 20000,
    CFI_SEARCH_SPINS = 64, /* between two readings of the clock, of 40 ns each */

    /* An offer of the searcher's processor (wakeup.c) was vain if it took so long and fewer than so many
     * tasks came or were claimed meanwhile. Then come twice as many searches without an offer, up to so
     * many. On two cores of an Intel Xeon with four other busy processes, an offer in each search makes
     * a round trip of 40 us one of 2.9 ms. With this rule the figures are as without offers. Without
     * offers, on that machine when it is quiet, the first 10^6 tasks of a pool of threads take 1.3
     * to 1.6 times as long, and tasks of which 1024 are under way 1.2 to 2 times. */
    CFI_OFFER_LONG_NS = 100000,
    CFI_OFFER_TASKS = 16,
    CFI_OFFER_KEEPS_MAX = 1023,

    /* Looks of a caller at its task before it sleeps, some 2 us: as long as a small task takes.
     * With more, the caller would take a worker's processor if all processors have workers. */
    CFI_WAIT_SPINS = 64,

    /* Slots at which a task that waits for another looks for one that it can help with
     * (waiting/nested.h): some microseconds. */
    CFI_HELP_LOOKS = 1024,

    /* A task that ran for less was not worth the help: to find it, and to be woken for it, took about
     * as long. Then the worker sleeps before it helps again, each time twice as long, at most
     * CFI_HELP_PAUSE_MAX_NS. Without: a quicksort down to 32 numbers takes 2.6 times as long on
     * two cores of an AMD EPYC (Zen 3). */
    CFI_HELP_WORTH_NS = 20000,
    CFI_HELP_PAUSE_MAX_NS = 1280000,

    /* The same for a thief of forked jobs. */
    CFI_STEAL_PAUSE_MAX_NS = 320000,
    CFI_STEAL_FORGET_NS =
        5000000, /* so long after its last try, a thief has forgotten what it gained */

    /* While tasks may fork, one idle worker looks for jobs after CFI_STEAL_POLL_NS, then each time after
     * twice as long. A look takes some 20 us of a processor of a virtual machine. */
    CFI_STEAL_POLL_NS = 50000,
    CFI_STEAL_POLL_MAX_NS = 1600000,
};

/* ---- chunks of maps and streams: batch/ ------------------------------------------------------ */

enum {
    /* The work of a chunk whose length the library chooses. Each end of a chunk wakes the caller, who
     * takes some 10 us of a worker's processor where all have workers. 500 us: even items of 1 us to
     * 100 us reach 94 to 95 % of an even share on an Intel Xeon, and not 97 to 98; uneven items the
     * same, since an idle worker takes items back. */
    CFI_CHUNK_NS = 3000000,

    /* The next chunk is at most so many times as long, since little is known of the items at first:
     * chunks of 1, 16, 256 and 4096 items take four round trips. */
    CFI_CHUNK_GROWTH = 16,

    /* Near the end a chunk has left / (CFI_CHUNK_DIVISOR * workers) items, but no less work than
     * CFI_CHUNK_MIN_NS. */
    CFI_CHUNK_DIVISOR = 4,
    CFI_CHUNK_MIN_NS = 20000,

    /* Chunks under way for each worker: one runs, one is next, and one is done while the caller
     * sleeps. */
    CFI_CHUNKS_UNDER_WAY = 3,

    /* Bytes of copied arguments and results: at most half of a second-level cache. 128 KiB: an item
     * of a map on processes costs a third more, since workers wait until the caller is woken. With
     * 1 MiB the same. Direct chunks copy nothing; CFI_CHUNK_ITEMS only limits the first guess. */
    CFI_CHUNK_SENT_BYTES = 512 << 10,
    CFI_CHUNK_ITEMS = 1 << 20,

    /* Items that a worker takes at once: of so many nanoseconds together, so many, and with results of so
     * many bytes, which it zeroes together. The caller cannot take those back. 1: on an Intel Xeon an
     * item of `x + 1` takes 1.1 times as long (1.83 ns and not 1.64). 64: no gain. */
    CFI_TOGETHER_NS = 200,
    CFI_TOGETHER_ITEMS = 16,
    CFI_TOGETHER_BYTES = 1024,

    /* Items that a worker has not begun are taken back if their work is at least CFI_TAKE_BACK_NS,
     * several times the cost of taking them. While a worker is idle, the caller looks for such
     * items after CFI_POLL_NS, then ever less often. */
    CFI_TAKE_BACK_NS = 20000,
    CFI_POLL_NS = 200000,
    CFI_POLL_MAX_NS = 5000000,

    /* From look to look of a sleeping caller whether a task in another process has overwritten what
     * it waits for (core/damage.h). A look costs a microsecond or so. 0 = it never looks. */
    CFI_DAMAGE_LOOK_NS = 1000000000,
};

#endif
