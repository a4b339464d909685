/* Hashes all files below a folder: a group of tasks, as many as there are files. No future is kept for them, and
 * each hash is put where it belongs. A file that cannot be read is told of when all are done. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <cfutures_group.h>

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct path {
    char name[4096];
} path;

typedef struct file {
    path path;
    uint64_t hash;
    struct file *next;
} file;

static cf_group *group;
static file *files;

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
CF_TASK(hash_file, path, uint64_t) {
    FILE *in = fopen(arg->name, "rb");
    if (in == NULL) {
        return errno;
    }
    *result = UINT64_C(0xcbf29ce484222325);
    for (int c; (c = getc(in)) != EOF;) {
        *result = (*result ^ (uint64_t)c) * UINT64_C(0x100000001b3);
    }
    const int failed = ferror(in);
    return fclose(in) != 0 || failed ? EIO : 0;
}

/* For each name below the folder. Anything but 0 ends the walk. */
static int add(const char *name, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)place;
    file *f = kind == FTW_F ? calloc(1, sizeof *f) : NULL;
    if (f == NULL) {
        return kind == FTW_F ? ENOMEM : 0;
    }
    snprintf(f->path.name, sizeof f->path.name, "%s", name);
    f->next = files;
    files = f;
    return (int)cf_group_submit(group, &hash_file, &f->path, NULL, &f->hash);
}

int main(int argc, char **argv) {
    cf_executor *pool;
    cf_exception exception;
    char text[128];
    if (argc != 2) {
        fprintf(stderr, "usage: hash_tree FOLDER\n");
        return 2;
    }
    cf_status status = cf_process_pool_create(NULL, &pool);
    status = status == CF_OK ? cf_group_create(pool, NULL, &group) : status;
    if (status != CF_OK) {
        fprintf(stderr, "no pool: %s\n", cf_status_message(status));
        return 1;
    }
    if (nftw(argv[1], add, 16, FTW_PHYS) != 0) {
        perror(argv[1]);
        return 1;
    }
    if (cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception) != CF_OK) {
        fprintf(stderr, "%s\n", cf_exception_describe(&exception, text, sizeof text));
    }
    for (const file *f = files; f != NULL; f = f->next) {
        printf("%016" PRIx64 "  %s\n", f->hash, f->path.name);
    }
    cf_group_destroy(group);
    cf_executor_destroy(pool);
    return exception.status != CF_OK;
}
