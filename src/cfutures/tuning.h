/* What is tuned, why it is as it is, and what was measured. */
#ifndef CFUTURES_TUNING_H
#define CFUTURES_TUNING_H

enum {
    CFI_CLAIM_MOST = 32,
    CFI_CLAIM_SHARES = 8,
    CFI_CLAIM_AHEAD = 4,
    CFI_SUBMIT_AHEAD = 8,
    CFI_SEARCH_NS = 20000,
    CFI_SEARCH_LOOKS = 64,
    CFI_WAIT_LOOKS = 64,
};

enum {
    CFI_CHUNK_NS = 500000,
    CFI_CHUNK_LEAST_NS = 20000,
    CFI_CHUNK_GROWTH = 16,
    CFI_CHUNK_SHARES = 4,
    CFI_CHUNK_SENT_BYTES = 128 << 10,
    CFI_CHUNK_ITEMS = 1 << 20,
    CFI_CHUNKS_UNDER_WAY = 3,
    CFI_TAKE_BACK_NS = 20000,
    CFI_LOOK_NS = 200000,
    CFI_LOOK_MOST_NS = 5000000,
};

#endif
