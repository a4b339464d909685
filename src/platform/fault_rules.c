#define _GNU_SOURCE
#include "platform/fault_rules.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int signal;
} actions[] = {
    {"kill", SIGKILL}, {"segv", SIGSEGV}, {"bus", SIGBUS}, {"abrt", SIGABRT},
    {"term", SIGTERM}, {"stop", SIGSTOP}, {"pause", 0},
};

static const struct {
    const char *name;
    plat_fault_role role;
} targets[] = {
    {"worker", PLAT_FAULT_WORKER},
    {"nursery", PLAT_FAULT_NURSERY},
    {"caller", PLAT_FAULT_CALLER},
};

static const struct {
    const char *name, *about;
} points[] = {{NULL, NULL},
#define NAMED(identifier, name, about) {name, about},
              PLAT_FAULT_POINTS(NAMED)
#undef NAMED
};

const char *plat_fault_name(unsigned point) {
    return point < PLAT_FAULT_END ? points[point].name : NULL;
}

const char *plat_fault_about(unsigned point) {
    return point < PLAT_FAULT_END ? points[point].about : NULL;
}

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct reader {
    char *complaint;
    size_t size;
} reader;

static bool complain(const reader *r, const char *word, const char *what) {
    snprintf(r->complaint, r->size, "'%s' %s", word, what);
    return false;
}

static bool read_number(const reader *r, const char *word, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(word, &end, 10);
    if (*word < '0' || *word > '9' || *end != '\0' || errno != 0 || *number > INT64_MAX) {
        return complain(r, word, "is not a number");
    }
    return true;
}

static bool read_positive(const reader *r, const char *word, uint64_t *number) {
    return read_number(r, word, number) &&
           (*number > 0 || complain(r, word, "is too small: the least is 1"));
}

static bool read_chance(const reader *r, const char *word, double *chance) {
    char *end;
    *chance = strtod(word, &end);
    return (*word >= '0' && *word <= '9' && *end == '\0' && *chance > 0 && *chance <= 1) ||
           complain(r, word, "is not a chance above 0 and up to 1");
}

static bool read_point(const reader *r, const char *word, plat_fault_id *point) {
    uint64_t number;
    for (unsigned i = 1; i < PLAT_FAULT_END; i++) {
        if (strcmp(word, points[i].name) == 0) {
            *point = (plat_fault_id)i;
            return true;
        }
    }
    if (*word < '0' || *word > '9') {
        return complain(r, word, "is not a fault point (CF_FAULT=list prints them)");
    }
    if (!read_number(r, word, &number)) {
        return false;
    }
    if (number == 0 || number >= PLAT_FAULT_END) {
        return complain(r, word, "is not the number of a fault point (CF_FAULT=list prints them)");
    }
    *point = (plat_fault_id)number;
    return true;
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* One of "point=claim.moved", "task=17" and so on. */
static bool read_condition(const reader *r, char *word, plat_fault_rule *rule) {
    char *value = strchr(word, '=');
    uint64_t number;
    if (value == NULL) {
        return complain(r, word, "is not of the form NAME=VALUE");
    }
    *value++ = '\0';
    if (strcmp(word, "point") == 0) {
        return read_point(r, value, &rule->point);
    }
    if (strcmp(word, "task") == 0) {
        return read_positive(r, value, &rule->task);
    }
    if (strcmp(word, "attempt") == 0) {
        return read_positive(r, value, &rule->attempt);
    }
    if (strcmp(word, "visit") == 0) {
        return read_positive(r, value, &rule->visit);
    }
    if (strcmp(word, "times") == 0) {
        return read_number(r, value, &rule->times);
    }
    if (strcmp(word, "chance") == 0) {
        return read_chance(r, value, &rule->chance);
    }
    if (strcmp(word, "worker") == 0 || strcmp(word, "us") == 0) {
        if (!read_number(r, value, &number) ||
            (number > INT_MAX && !complain(r, value, "is too large"))) {
            return false;
        }
        if (*word == 'w') {
            rule->worker = (int64_t)number;
        } else {
            rule->pause_ns = (int64_t)number * 1000;
        }
        return true;
    }
    return complain(r, word,
                    "is none of point, task, attempt, worker, visit, times, chance and us");
}

static bool read_action(const reader *r, const char *word, plat_fault_rule *rule) {
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(word, actions[i].name) == 0) {
            rule->action = actions[i].name;
            rule->signal = actions[i].signal;
            return true;
        }
    }
    return complain(r, word, "is none of kill, segv, bus, abrt, term, stop and pause");
}

static bool read_target(const reader *r, const char *word, plat_fault_rule *rule) {
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (strcmp(word, targets[i].name) == 0) {
            rule->target = targets[i].role;
            return true;
        }
    }
    return complain(r, word, "is none of worker, nursery and caller");
}

/* "kill:worker@point=claim.moved,task=17" */
static bool read_rule(const reader *r, char *word, plat_fault_rule *rule) {
    char *conditions = strchr(word, '@');
    char *target = strchr(word, ':');
    char *place;
    bool limited = false, pauses = false;
    *rule = (plat_fault_rule){.worker = -1, .chance = 1};
    if (target == NULL || conditions == NULL || target > conditions) {
        return complain(r, word, "is not of the form ACTION:PROCESS@CONDITION,...");
    }
    *target++ = '\0';
    *conditions++ = '\0';
    if (!read_action(r, word, rule) || !read_target(r, target, rule)) {
        return false;
    }
    if (*conditions == '\0') {
        return complain(r, target, "has no condition");
    }
    for (char *condition = strtok_r(conditions, ",", &place); condition != NULL;
         condition = strtok_r(NULL, ",", &place)) {
        limited = limited || strncmp(condition, "times=", 6) == 0;
        pauses = pauses || strncmp(condition, "us=", 3) == 0;
        if (!read_condition(r, condition, rule)) {
            return false;
        }
    }
    if (pauses != (rule->signal == 0)) {
        return complain(r, "us", pauses ? "is for pause only" : "is missing: how long to pause");
    }
    if (!limited) {
        rule->times = rule->chance < 1 ? 0 : 1;
    }
    return true;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static bool read_part(const reader *r, char *part, plat_fault_plan *plan) {
    if (strcmp(part, "list") == 0) {
        plan->lists = true;
        return true;
    }
    if (strcmp(part, "trace") == 0) {
        plan->traces = true;
        return true;
    }
    if (strncmp(part, "seed=", 5) == 0) {
        return read_number(r, part + 5, &plan->seed);
    }
    if (plan->count == PLAT_FAULT_RULES_MAX) {
        return complain(r, part, "is one rule too many");
    }
    return read_rule(r, part, &plan->rules[plan->count++]);
}

bool plat_fault_parse(const char *text, plat_fault_plan *plan, char *complaint, size_t size) {
    const reader r = {complaint, size};
    char *copy = strdup(text), *place;
    *plan = (plat_fault_plan){.seed = 1};
    if (copy == NULL) {
        return complain(&r, text, "cannot be copied: no memory");
    }
    bool good = true;
    for (char *part = strtok_r(copy, ";", &place); good && part != NULL;
         part = strtok_r(NULL, ";", &place)) {
        good = read_part(&r, part, plan);
    }
    free(copy);
    return good;
}
