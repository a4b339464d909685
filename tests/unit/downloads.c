#include "downloads.h"

#include <stdio.h>
#include <string.h>

void downloads_begin(downloads *d, http_script *script, void *context) {
    memset(d, 0, sizeof *d);
    d->server = http_server_start(script, context);
    scratch_make(d->path);
    cr_assert(download_prepare());
    d->descriptors = fd_count();
    d->threads = thread_count();
    EXPECT_EQ(download_folder_open(&d->folder, d->path), 0);
    EXPECT_EQ(download_stop_open(&d->stop), 0);
    connect_window_init(&d->window);
    d->settings = (download_settings){
        .site = d->server->site,
        .folder = &d->folder,
        .stop = &d->stop,
        .window = &d->window,
        .trust = trust_store_create(NULL),
        .timeout_ns = LONG_WAIT,
        .deadline_ns = LONG_WAIT,
        .size_limit = (size_t)1 << 20,
    };
}

void downloads_end(downloads *d) {
    char names[8000];
    cr_assert(strchr(scratch_list(d->path, names, sizeof names), '.') != names, "%s", names);
    EXPECT_EQ(atomic_load(&d->window.places), atomic_load(&d->window.size));
    download_stop_close(&d->stop);
    download_folder_close(&d->folder);
    EXPECT_EQ(fd_count(), d->descriptors);
    EXPECT_EQ(child_count(), 1); /* the server */
    cr_assert(threads_fall_to(d->threads));
    trust_store_destroy(d->settings.trust);
    download_finish();
    http_server_stop(d->server);
    scratch_remove(d->path);
}

bool downloads_has_flag(const downloads *d, country_code code) {
    char name[16], flag[FLAG_SIZE];
    snprintf(name, sizeof name, "%s.gif", code.text);
    return scratch_holds(d->path, name, http_server_flag(code, flag), FLAG_SIZE);
}

size_t downloads_files(const downloads *d) {
    char names[8000];
    size_t count = scratch_list(d->path, names, sizeof names)[0] != '\0';
    for (const char *next = names; (next = strchr(next, ' ')) != NULL; next++) {
        count++;
    }
    return count;
}

void expect_status(const download_result *result, download_status wanted) {
    static const char *const NAMES[] = {"left", "ok", "existing", "not found", "error"};
    cr_assert(result->status == wanted, "%s: %s, wanted %s: %s", result->code.text,
              NAMES[result->status], NAMES[wanted], result->message);
}

void expect_message(const download_result *result, const char *wanted) {
    expect_status(result, DOWNLOAD_ERROR);
    cr_assert_str_eq(result->message, wanted);
}
