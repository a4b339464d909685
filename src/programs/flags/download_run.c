#define _GNU_SOURCE /* program_invocation_name */
#include "programs/flags/download_run.h"

#include "download/site.h"
#include "platform/clock.h"
#include "programs/base/open_files.h"
#include "programs/base/output.h"
#include "programs/base/refusal.h"
#include "programs/base/stop_signals.h"
#include "programs/base/userinfo.h"
#include "programs/flags/download_observed.h"

#include <errno.h>
#include <error.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned download_run_connections(unsigned wanted, unsigned descriptors_each) {
    if (descriptors_each == 0) {
        return wanted;
    }
    const unsigned allowed = open_files_allow(wanted, descriptors_each);
    if (allowed < wanted) {
        error(0, 0, "the limit on open files has room for %u of %u connections", allowed, wanted);
    }
    return allowed;
}

/* Why nobody can read it, or NULL. A pipe would be waited for. That it has certificates trust_store.h finds out. */
static const char *fault_of_file(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0 || access(path, R_OK) != 0) {
        return strerror(errno);
    }
    if (S_ISDIR(status.st_mode)) {
        return strerror(EISDIR);
    }
    return S_ISREG(status.st_mode) ? NULL : "not a regular file";
}

/* Before anything is made or asked for. */
static void require_readable(const char *ca_file) {
    const char *fault = ca_file == NULL ? NULL : fault_of_file(ca_file);
    if (fault != NULL) {
        error(EXIT_IO, 0, "%s: %s", ca_file, fault);
    }
}

static observing *begin_observing(const download_options *options,
                                  const observing_subject *subject) {
    observing_subject with_name = *subject;
    with_name.program = program_invocation_name;
    return observing_begin(&options->observing, &with_name);
}

void download_run_begin(download_run *run, const download_options *options,
                        const observing_subject *subject) {
    require_readable(options->ca_file);
    *run = (download_run){
        .settings = {.site = options->site,
                     .folder = &run->folder,
                     .stop = &run->stop,
                     .window = &run->window,
                     .allow_downgrade = options->allow_downgrade,
                     .begun_ns = plat_now_ns(),
                     .timeout_ns = options->timeout_ns,
                     .deadline_ns = options->deadline_ns,
                     .size_limit = SIZE_LIMIT_DEFAULT},
    };
    if (!download_prepare()) {
        error(EXIT_ITEM, 0, "libcurl cannot be used");
    }
    run->settings.trust = trust_store_create(options->ca_file);
    if (run->settings.trust == NULL) {
        error(EXIT_ITEM, ENOMEM, "cannot prepare for TLS");
    }
    if (site_is_https(options->site)) {
        trust_store_load(run->settings.trust);
    }
    if (options->ca_file != NULL && trust_store_bad_file(run->settings.trust) != NULL) {
        error(EXIT_IO, 0, "%s: no certificate in it", options->ca_file);
    }
    run->observing = begin_observing(options, subject);
    int problem = download_folder_open(&run->folder, options->folder);
    if (problem != 0) {
        error(EXIT_IO, problem, "%s", options->folder);
    }
    problem = download_stop_open(&run->stop);
    if (problem != 0) {
        error(EXIT_ITEM, problem, "cannot prepare to be stopped: eventfd");
    }
    connect_window_init(&run->window);
    sem_init(&run->reported, 0, 0);
}

/* ---- signals: on a thread of their own --------------------------------------------------------- */

static void stop_and_wait(void *data) {
    download_run *run = data;
    download_stop_request(&run->stop);
    while (sem_wait(&run->reported) != 0 && errno == EINTR) {}
}

static void stop(void *data) {
    download_run *run = data;
    download_stop_request(&run->stop);
}

/* ---- downloading ------------------------------------------------------------------------------- */

void download_run_prepare(download_run *run) {
    stop_signals_block();
    output_defer_failure(stop, run);
}

void download_run_begun(download_run *run) {
    stop_signals_start(stop_and_wait, run);
    run->begun = true;
    run->begun_ns = plat_now_ns();
}

void download_run_finished(download_run *run) {
    run->elapsed_ns = plat_now_ns() - run->begun_ns;
    observing_stop(run->observing);
}

typedef struct collector {
    download_run *run;
    const country_code *codes;
    void (*collected)(void *context, const download_result *result);
    void *context;
} collector;

static void begun(void *context) {
    download_run_begun(((collector *)context)->run);
}

static uint64_t place_of(const collector *all, country_code code) {
    size_t i = 0;
    while (strcmp(all->codes[i].text, code.text) != 0) {
        i++;
    }
    return i;
}

/* libcurl may show a proxy's URL with its password. */
static void pass_result(void *context, const download_result *result) {
    const collector *to = context;
    download_result shown = *result;
    userinfo_hide(shown.message);
    to->collected(to->context, &shown);
    if (to->run->observing != NULL) {
        download_observe(to->run->observing, place_of(to, result->code), to->run->begun_ns, &shown);
    }
}

void download_run_all(download_run *run, download_many_fn *download_many, const country_code *codes,
                      size_t count, unsigned most,
                      void (*collected)(void *context, const download_result *result),
                      void *context) {
    collector pass_on = {run, codes, collected, context};
    const download_job job = {
        .settings = &run->settings,
        .codes = codes,
        .count = count,
        .most = most,
        .begun = begun,
        .collected = pass_result,
        .context = &pass_on,
    };
    download_run_prepare(run);
    require_ok(download_many(&job), "cannot download");
    download_run_finished(run);
}

int download_run_end(download_run *run) {
    output_settle();
    if (run->begun) {
        sem_post(&run->reported);
        stop_signals_end();
    }
    const int code = observing_end(run->observing);
    download_stop_close(&run->stop);
    download_folder_close(&run->folder);
    sem_destroy(&run->reported);
    trust_store_destroy(run->settings.trust);
    download_finish();
    return code;
}
