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
};

#endif
