#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTIONS_MAX = 32,
    CHOICES_MAX = 4096
};

typedef struct choice {
    uint32_t question;
    uint8_t count, chosen;
    uint8_t options[OPTIONS_MAX];
} choice;

sim_counts counts;
unsigned search_bound;
unsigned search_preemptions;
bool search_repeats;
bool search_gives_up = true;

static choice choices[CHOICES_MAX];
static unsigned choice_count, next_choice;
uint32_t search_questions;

/* ---- states that have been gone into --------------------------------------------------------- */

typedef struct known_state {
    uint64_t hash; /* 0 = none */
    uint32_t preemptions;
} known_state;

static known_state *known;
static size_t known_room, known_count;

static known_state *find_known(uint64_t hash) {
    size_t i = hash & (known_room - 1);
    while (known[i].hash != 0 && known[i].hash != hash) {
        i = (i + 1) & (known_room - 1);
    }
    return &known[i];
}

static void make_known(size_t room) {
    known_state *old = known;
    size_t old_room = known_room;
    known = calloc(room, sizeof *known);
    if (known == NULL) {
        perror("explorer");
        exit(2);
    }
    known_room = room;
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].hash != 0) {
            *find_known(old[i].hash) = old[i];
        }
    }
    free(old);
}

static void forget_known(void) {
    free(known);
    known = NULL;
    known_room = known_count = 0;
    make_known((size_t)1 << 16);
}

/* False: it was gone into before, with as many pre-emptions left. */
static bool is_news(uint64_t hash) {
    if (known_count * 2 > known_room) {
        make_known(known_room * 2);
    }
    known_state *state = find_known(hash);
    if (state->hash == 0) {
        known_count++;
    } else if (state->preemptions <= search_preemptions) {
        return false;
    }
    state->hash = hash;
    state->preemptions = search_preemptions;
    return true;
}

/* ---- choices --------------------------------------------------------------------------------- */

void search_begin(unsigned bound) {
    search_bound = bound;
    search_repeats = false;
    choice_count = 0;
    forget_known();
}

void search_begin_run(void) {
    search_questions = 0;
    next_choice = 0;
    search_preemptions = 0;
}

void search_question(void) {
    search_questions++;
}

static uint8_t repeat(const uint8_t *options, unsigned count) {
    if (next_choice == choice_count || choices[next_choice].question != search_questions) {
        return options[0];
    }
    uint8_t wanted = choices[next_choice++].options[0];
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == wanted) {
            return wanted;
        }
    }
    run_fail("the list of choices is not one of this scenario");
}

uint8_t search_choose(const uint8_t *options, unsigned count, uint64_t state) {
    if (search_repeats) {
        return repeat(options, count);
    }
    if (count == 1) {
        return options[0];
    }
    choice *c = &choices[next_choice];
    if (next_choice == choice_count) {
        if (search_gives_up && state != 0 && !is_news(state)) {
            run_abandon();
        }
        if (choice_count == CHOICES_MAX || count > OPTIONS_MAX) {
            run_fail("too many choices");
        }
        *c = (choice){.question = search_questions, .count = (uint8_t)count};
        memcpy(c->options, options, count);
        choice_count++;
    } else if (c->question != search_questions) { /* it was none when the others were made */
        return options[0];
    }
    next_choice++;
    return c->options[c->chosen];
}

bool search_next(void) {
    choice_count = next_choice;
    while (choice_count > 0 &&
           choices[choice_count - 1].chosen + 1 == choices[choice_count - 1].count) {
        choice_count--;
    }
    if (choice_count == 0) {
        return false;
    }
    choices[choice_count - 1].chosen++;
    return true;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* What was chosen first costs nothing to leave out. */
const char *search_list(void) {
    static char text[CHOICES_MAX * 12];
    size_t length = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < next_choice; i++) {
        const choice *c = &choices[i];
        if (c->chosen != 0) {
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%" PRIu32 ":%u",
                                       length > 0 ? "," : "", c->question, c->options[c->chosen]);
        }
    }
    return text;
}

void search_repeat(const char *list) {
    choice_count = 0;
    while (*list != '\0' && choice_count < CHOICES_MAX) {
        char *end;
        choice *c = &choices[choice_count++];
        *c = (choice){.question = (uint32_t)strtoul(list, &end, 10), .count = 1};
        c->options[0] = (uint8_t)(*end == ':' ? strtoul(end + 1, &end, 10) : 0);
        list = *end == ',' ? end + 1 : "";
    }
    search_bound = UINT32_MAX;
    search_repeats = true;
}
