#define _GNU_SOURCE /* asprintf */
#include "programs/slow_server/flag_tree.h"

#include "download/country_codes.h"
#include "programs/base/output.h"
#include "programs/slow_server/flag_image.h"
#include "programs/slow_server/flag_path.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void require(bool done, const char *what) {
    if (!done) {
        error(EXIT_IO, errno, "%s", what);
    }
}

/* Every folder that the path leads through, and that is missing. */
static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        require(mkdir(path, 0777) == 0 || errno == EEXIST, path);
        *slash = '/';
    }
}

static void write_file(const char *path, const flag_image *image) {
    FILE *file = fopen(path, "wbe");
    require(file != NULL, path);
    const bool written = fwrite(image->data, 1, image->size, file) == image->size;
    require(fclose(file) == 0 && written, path);
}

void flag_tree_export(const char *directory) {
    for (size_t i = 0; i < COUNTRY_CODES_COUNT; i++) {
        flag_image image;
        require(flag_image_draw(i, &image), "an image");
        const flag_path below = flag_path_of(flag_code_of(COUNTRY_CODES[i].text));
        char *path;
        require(asprintf(&path, "%s/%s", directory, below.text) >= 0, directory);
        make_folders(path);
        write_file(path, &image);
        free(path);
        flag_image_free(&image);
    }
}
