/* How long does it take to tell whether a number below 2^64 is prime, by ours and by others?
 *
 * is_prime.py runs this and reads what it prints, one JSON object a line: first what is measured,
 * then a sample a line. In each round, for each set of numbers, all contenders come one after the
 * other, there and back again: a machine that gets slower or faster meanwhile changes neighbours
 * alike. A sample is one or more passes over the whole set by one contender.
 *
 * Each contender leaves all its answers, and after every sample they are compared with the first
 * contender's: so nothing is computed in vain, which a compiler might leave out. */
#include "bench/contender.h"
#include "bench/splitmix.h"
#include "platform/clock.h"
#include "primes/is_prime_batch.h"
#include "primes/primes.h"
#include "programs/base/command_line.h"
#include "programs/base/output.h"

#include <error.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum {
    MANY = 1000000,
    FEW = 100000, /* where nearly every number takes the whole test */
    LEAST_NS = 20000000,
    ROUNDS_DEFAULT = 7,
    ROUNDS_MAX = 10000,
    EXIT_WRONG = 1 /* two contenders disagree */
};

/* ---- the sets -------------------------------------------------------------------------------- */

typedef struct number_kind {
    const char *name;
    size_t count;
    uint64_t (*draw)(uint64_t *random);
} number_kind;

static uint64_t draw_any_64(uint64_t *random) {
    return splitmix(random);
}

static uint64_t draw_odd_64(uint64_t *random) {
    return splitmix(random) | 1;
}

static uint64_t draw_odd_32(uint64_t *random) {
    return splitmix(random) >> 32 | 1;
}

static uint64_t draw_odd_52(uint64_t *random) {
    return splitmix(random) >> 12 | 1;
}

/* That these are primes is our word; the others' answers are compared with it. */
static uint64_t draw_prime_64(uint64_t *random) {
    uint64_t n;
    do {
        n = draw_odd_64(random);
    } while (!is_prime_64(n));
    return n;
}

static uint64_t draw_prime_32(uint64_t *random) {
    uint64_t n;
    do {
        n = draw_odd_32(random) | UINT64_C(1) << 31;
    } while (!is_prime_64(n));
    return n;
}

/* Composite, of 64 bits, and without a factor that trial division would find. */
static uint64_t draw_semiprime_64(uint64_t *random) {
    uint64_t n;
    do {
        n = draw_prime_32(random) * draw_prime_32(random);
    } while (n >> 63 == 0);
    return n;
}

static const number_kind KINDS[] = {
    {"odd-64", MANY, draw_odd_64},     {"any-64", MANY, draw_any_64},
    {"primes-64", FEW, draw_prime_64}, {"odd-32", MANY, draw_odd_32},
    {"odd-52", MANY, draw_odd_52},     {"semiprimes-64", FEW, draw_semiprime_64},
};

typedef struct number_set {
    const number_kind *kind;
    uint64_t *numbers;
    uint8_t *answers; /* the first contender's: what the others must say */
} number_set;

static void *allocated(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL) {
        error(EXIT_IO, 0, "no memory");
    }
    return memory;
}

/* The numbers depend on the seed and the kind, not on which other sets are asked for. */
static void fill_set(number_set *set, const number_kind *kind, uint64_t seed) {
    uint64_t random = seed << 8 | (uint64_t)(kind - KINDS);
    set->kind = kind;
    set->numbers = allocated(kind->count, sizeof *set->numbers);
    set->answers = allocated(kind->count, sizeof *set->answers);
    for (size_t i = 0; i < kind->count; i++) {
        set->numbers[i] = kind->draw(&random);
    }
}

/* ---- the contenders -------------------------------------------------------------------------- */

static void single_test(const uint64_t *n, size_t count, uint8_t *prime) {
    for (size_t i = 0; i < count; i++) {
        prime[i] = is_prime_64(n[i]);
    }
}

static void batch_portable_test(const uint64_t *n, size_t count, uint8_t *prime) {
    is_prime_batch_with(PRIME_KERNEL_PORTABLE, n, count, prime);
}

static void batch_avx2_test(const uint64_t *n, size_t count, uint8_t *prime) {
    is_prime_batch_with(PRIME_KERNEL_AVX2, n, count, prime);
}

static void batch_avx512_test(const uint64_t *n, size_t count, uint8_t *prime) {
    is_prime_batch_with(PRIME_KERNEL_AVX512, n, count, prime);
}

static const contender CONTENDERS[] = {
#ifdef HAVE_FLINT
    {.name = "flint", .test = peer_flint_test, .version = peer_flint_version},
#else
    {.name = "flint"},
#endif
#ifdef HAVE_GMP
    {.name = "gmp", .test = peer_gmp_test, .version = peer_gmp_version},
#else
    {.name = "gmp"},
#endif
#ifdef HAVE_PARI
    {.name = "pari",
     .test = peer_pari_test,
     .prepare = peer_pari_prepare,
     .version = peer_pari_version},
#else
    {.name = "pari"},
#endif
    {.name = "single", .test = single_test},
    {.name = "batch-portable", .test = batch_portable_test, .kernel = "portable"},
    {.name = "batch-avx2", .test = batch_avx2_test, .kernel = "avx2"},
    {.name = "batch-avx512", .test = batch_avx512_test, .kernel = "avx512"},
};

static bool is_there(const contender *one) {
    return one->test != NULL &&
           (one->kernel == NULL || prime_kernel_check(one->kernel, NULL) == PRIME_KERNEL_FOUND);
}

/* ---- the command line ------------------------------------------------------------------------ */

/* NULL for a list: all. */
typedef struct driver_options {
    unsigned rounds;
    unsigned seed;
    unsigned batch; /* so many numbers at a time; 0: the whole set */
    const char *sets;
    const char *contenders;
} driver_options;

static bool is_listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    while (list != NULL) {
        if (strncmp(list, name, length) == 0 && (list[length] == ',' || list[length] == '\0')) {
            return true;
        }
        list = strchr(list, ',');
        list = list == NULL ? NULL : list + 1;
    }
    return false;
}

static bool is_chosen(const char *list, const char *name) {
    return list == NULL || is_listed(list, name);
}

/* A name that is misspelt must not be left out in silence. */
static void check_list(struct argp_state *state, const char *name, const char *list, size_t known) {
    size_t items = 1;
    for (const char *comma = strchr(list, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        items++;
    }
    if (items != known) {
        argp_error(state, "%s: '%s': not all of these are known, or one is given twice", name,
                   list);
    }
}

static void parse_sets(struct argp_state *state, const char *name, char *list, void *sets) {
    size_t known = 0;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        known += is_listed(list, KINDS[i].name);
    }
    check_list(state, name, list, known);
    *(const char **)sets = list;
}

static void parse_contenders(struct argp_state *state, const char *name, char *list,
                             void *contenders) {
    size_t known = 0;
    for (size_t i = 0; i < COUNT_OF(CONTENDERS); i++) {
        known += is_listed(list, CONTENDERS[i].name);
    }
    check_list(state, name, list, known);
    *(const char **)contenders = list;
}

static driver_options parse(int argc, char **argv) {
    driver_options options = {.rounds = ROUNDS_DEFAULT,
                              .seed = (unsigned)(plat_now_ns() % 1000000)};
    const command_line_option rows[] = {
        {"rounds", 'r', "N", "Samples of each set and contender (7)", .number = &options.rounds,
         .min = 1, .max = ROUNDS_MAX},
        {"seed", 's', "N", "Of the numbers (a new one, which is printed)", .number = &options.seed,
         .max = UINT32_MAX},
        {"batch", 'b', "N", "Numbers in one call (a whole set)", .number = &options.batch, .min = 1,
         .max = MANY},
        {"sets", 'S', "LIST", "Only these, separated by commas", .parse = parse_sets,
         .value = &options.sets},
        {"contenders", 'c', "LIST", "Only these, separated by commas", .parse = parse_contenders,
         .value = &options.contenders},
        {0},
    };
    const command_line line = {
        .doc = "Measures primality tests below 2^64: nanoseconds for each number, as JSON."
               "\vExit status: 0 done, 1 two contenders disagree, 2 a usage error, 3 no memory, or "
               "the samples cannot be written.",
        .options = rows,
    };
    command_line_parse(&line, argc, argv);
    return options;
}

/* ---- measuring ------------------------------------------------------------------------------- */

typedef struct bench {
    driver_options options;
    number_set sets[COUNT_OF(KINDS)];
    size_t sets_count;
    const contender *contenders[COUNT_OF(CONTENDERS)];
    size_t contenders_count;
    uint8_t prime[MANY]; /* what the contender whose turn it is says */
} bench;

static void pass(const bench *b, const contender *one, const number_set *set, uint8_t *prime) {
    const size_t count = set->kind->count, batch = b->options.batch;
    const size_t step = batch == 0 ? count : batch;
    for (size_t i = 0; i < count; i += step) {
        one->test(set->numbers + i, step < count - i ? step : count - i, prime + i);
    }
}

static void compare(const bench *b, const contender *one, const number_set *set) {
    for (size_t i = 0; i < set->kind->count; i++) {
        if (b->prime[i] != set->answers[i]) {
            error(EXIT_WRONG, 0, "%s: %" PRIu64 " is %s, says %s, but not %s", set->kind->name,
                  set->numbers[i], b->prime[i] != 0 ? "prime" : "composite", one->name,
                  b->contenders[0]->name);
        }
    }
}

/* The thread's time on a processor, not the wall clock's: for a thread that only computes they are
 * the same, unless it has to share its core, which no contender can help. */
static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double ns_for_each(bench *b, const contender *one, const number_set *set) {
    size_t passes = 0;
    int64_t passed;
    const int64_t start = cpu_ns();
    do {
        pass(b, one, set, b->prime);
        passes++;
        passed = cpu_ns() - start;
    } while (passed < LEAST_NS);
    return (double)passed / (double)(passes * set->kind->count);
}

static void sample(bench *b, unsigned round, const contender *one, const number_set *set) {
    memset(b->prime, UINT8_MAX, set->kind->count);
    const double ns = ns_for_each(b, one, set);
    compare(b, one, set);
    size_t primes = 0;
    for (size_t i = 0; i < set->kind->count; i++) {
        primes += b->prime[i];
    }
    output_print("{\"round\":%u,\"set\":\"%s\",\"contender\":\"%s\",\"ns\":%.4f,\"primes\":%zu}\n",
                 round, set->kind->name, one->name, ns, primes);
    output_flush();
}

static void measure(bench *b) {
    for (size_t s = 0; s < b->sets_count; s++) {
        pass(b, b->contenders[0], &b->sets[s], b->sets[s].answers);
    }
    for (unsigned round = 0; round < b->options.rounds; round++) {
        for (size_t s = 0; s < b->sets_count; s++) {
            for (size_t c = 0; c < b->contenders_count; c++) {
                size_t place = round % 2 == 0 ? c : b->contenders_count - 1 - c;
                sample(b, round, b->contenders[place], &b->sets[s]);
            }
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void prepare(bench *b) {
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        if (is_chosen(b->options.sets, KINDS[i].name)) {
            fill_set(&b->sets[b->sets_count++], &KINDS[i], b->options.seed);
        }
    }
    for (size_t i = 0; i < COUNT_OF(CONTENDERS); i++) {
        const contender *one = &CONTENDERS[i];
        if (is_chosen(b->options.contenders, one->name) && is_there(one)) {
            if (one->prepare != NULL) {
                one->prepare();
            }
            b->contenders[b->contenders_count++] = one;
        }
    }
    if (b->contenders_count == 0) {
        error(EXIT_USAGE, 0, "none of these contenders is in this build and runs here");
    }
}

static void print_names(const char *what, const driver_options *options, bool there) {
    const char *separator = "";
    output_print(",\"%s\":{", what);
    for (size_t i = 0; i < COUNT_OF(CONTENDERS); i++) {
        const contender *one = &CONTENDERS[i];
        if (is_chosen(options->contenders, one->name) && is_there(one) == there) {
            const char *version = there && one->version != NULL ? one->version() : "";
            output_print("%s\"%s\":\"%s\"", separator, one->name, version);
            separator = ",";
        }
    }
    output_print("}");
}

/* The contenders with the peers' versions; and those that are not there. */
static void print_head(const bench *b) {
    output_print("{\"seed\":%u", b->options.seed);
    print_names("contenders", &b->options, true);
    print_names("left_out", &b->options, false);
    output_print("}\n");
}

int main(int argc, char **argv) {
    static bench b;
    output_prepare(argv);
    b.options = parse(argc, argv);
    prepare(&b);
    print_head(&b);
    measure(&b);
    for (size_t s = 0; s < b.sets_count; s++) {
        free(b.sets[s].numbers);
        free(b.sets[s].answers);
    }
    return 0;
}
