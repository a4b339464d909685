/* What CF_FAULT asks for: rules, and the seed of their chances. The grammar is in cfutures.h. */
#ifndef PLATFORM_FAULT_RULES_H
#define PLATFORM_FAULT_RULES_H

#include "platform/fault.h"

enum {
    PLAT_FAULT_RULES_MAX = 16
};

typedef struct plat_fault_rule {
    const char *action; /* "kill", ... */
    int signal;         /* 0 = the process pauses */
    plat_fault_role target;
    plat_fault_id point; /* NONE = any */
    uint64_t task;       /* 0 = any */
    uint64_t attempt;    /* 0 = any */
    int64_t worker;      /* -1 = any */
    uint64_t visit;      /* 0 = any */
    double chance;       /* 1 = always */
    uint64_t times;      /* at most; 0 = no limit */
    int64_t pause_ns;
} plat_fault_rule;

typedef struct plat_fault_plan {
    plat_fault_rule rules[PLAT_FAULT_RULES_MAX];
    unsigned count;
    uint64_t seed;
    bool traces; /* prints each fault on stderr */
    bool lists;  /* prints the points */
} plat_fault_plan;

/* False: `complaint` says what is wrong. */
bool plat_fault_parse(const char *text, plat_fault_plan *plan, char *complaint, size_t size);

/* NULL if `point` is not the number of a point. */
const char *plat_fault_name(unsigned point);
const char *plat_fault_about(unsigned point);

#endif
