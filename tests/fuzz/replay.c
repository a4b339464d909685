/* Without libFuzzer: replay FOLDER COUNT
 *
 * Runs every file of the folder but its README, and then COUNT (times CF_TEST_MULT) random changes of them. */
#include "fuzz_primecheck.h"

#include "../support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MOST 1000
#define SIZE_MOST  4096

typedef struct sample {
    size_t size;
    uint8_t bytes[SIZE_MOST];
} sample;

static sample corpus[FILES_MOST];
static size_t corpus_count;

static bool read_sample(const char *folder, const char *name, sample *s) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    s->size = fread(s->bytes, 1, SIZE_MOST, file);
    const bool whole = fgetc(file) == EOF;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "%s: more than %d bytes\n", path, SIZE_MOST);
    }
    return whole;
}

static bool read_corpus(const char *folder) {
    struct dirent **entries;
    const int count =
        scandir(folder, &entries, NULL, alphasort); /* in an order that a seed can rely on */
    bool good = count >= 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (good && name[0] != '.' && strncmp(name, "README", 6) != 0) {
            good = corpus_count < FILES_MOST && read_sample(folder, name, &corpus[corpus_count]);
            corpus_count++;
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return good && corpus_count > 0;
}

/* A copy, so that AddressSanitizer sees what is read behind it. */
static void run(const sample *s) {
    uint8_t *copy = malloc(s->size + 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy + 1, s->bytes, s->size);
    LLVMFuzzerTestOneInput(copy + 1, s->size);
    free(copy);
}

/* ---- random changes ---------------------------------------------------------------------------- */

static size_t below(uint64_t *seed, size_t limit) {
    return limit == 0 ? 0 : (size_t)(random_next(seed) % limit);
}

static void insert(sample *s, size_t at, const uint8_t *bytes, size_t size) {
    if (s->size + size <= SIZE_MOST) {
        memmove(s->bytes + at + size, s->bytes + at, s->size - at);
        memcpy(s->bytes + at, bytes, size);
        s->size += size;
    }
}

static void cut_out(sample *s, size_t at, size_t size) {
    memmove(s->bytes + at, s->bytes + at + size, s->size - at - size);
    s->size -= size;
}

static void change(sample *s, uint64_t *seed) {
    static const char LIKELY[] = "0123456789abcdefxX+- \t\n\r\f\v\0\xff";
    const size_t at = below(seed, s->size + 1), left = s->size - at;
    uint8_t bytes[256];
    switch (below(seed, 6)) {
    case 0:
        bytes[0] = (uint8_t)random_next(seed);
        insert(s, at, bytes, 1);
        break;
    case 1:
        memset(bytes, LIKELY[below(seed, sizeof LIKELY - 1)], sizeof bytes);
        insert(s, at, bytes, 1 + below(seed, below(seed, 8) == 0 ? sizeof bytes : 8));
        break;
    case 2:
        if (left > 0) {
            s->bytes[at] = (uint8_t)LIKELY[below(seed, sizeof LIKELY - 1)];
        }
        break;
    case 3:
        if (left > 0) {
            s->bytes[at] = (uint8_t)random_next(seed);
        }
        break;
    case 4:
        cut_out(s, at, below(seed, left < 16 ? left + 1 : 16));
        break;
    default: {
        const sample *other = &corpus[below(seed, corpus_count)];
        const size_t from = below(seed, other->size), most = other->size - from;
        insert(s, at, other->bytes + from, below(seed, most + 1));
    }
    }
}

int main(int argc, char **argv) {
    if (argc != 3 || !read_corpus(argv[1])) {
        fprintf(stderr, "usage: replay FOLDER COUNT\n");
        return 2;
    }
    for (size_t i = 0; i < corpus_count; i++) {
        run(&corpus[i]);
    }
    uint64_t seed = test_seed("fuzz/replay");
    const size_t count = scaled(strtoul(argv[2], NULL, 10));
    for (size_t i = 0; i < count; i++) {
        static sample s;
        s = corpus[below(&seed, corpus_count)];
        for (size_t changes = 1 + below(&seed, 8); changes > 0; changes--) {
            change(&s, &seed);
        }
        run(&s);
    }
    printf("%zu files and %zu changes of them\n", corpus_count, count);
    return 0;
}
