#define _GNU_SOURCE /* asprintf, program_invocation_name */
#include "programs/flags/flags2_report.h"

#include "programs/base/output.h"
#include "programs/base/seconds.h"

#include <errno.h>
#include <error.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 10 /* codes that are named one by one */

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

/* ---- before ------------------------------------------------------------------------------------ */

static void print_codes(const flags2_options *options) {
    if (options->count > LISTED_MAX) {
        output_print("from %s to %s\n", options->codes[0].text,
                     options->codes[options->count - 1].text);
        return;
    }
    for (size_t i = 0; i < options->count; i++) {
        output_print("%s%s", options->codes[i].text, i + 1 < options->count ? ", " : "\n");
    }
}

void flags2_report_begin(flags2_report *report, const flags2_options *options, bool is_begun) {
    *report = (flags2_report){.options = options};
    if (!options->json && !is_begun) {
        output_print("%s site: %s\n", options->label, options->shown_site);
        output_print("Searching for %zu flag%s: ", options->count, plural(options->count));
        print_codes(options);
        output_print("%u concurrent connection%s will be used.\n", options->most,
                     plural(options->most));
        output_flush();
    }
    progress_bar_begin(&report->bar, !options->json && !options->verbose, options->count);
}

/* ---- one result -------------------------------------------------------------------------------- */

static void print_text(const flags2_report *report, const download_result *result) {
    const char *code = result->code.text;
    switch (result->status) {
    case DOWNLOAD_OK:
        output_print("%s OK\n", code);
        break;
    case DOWNLOAD_EXISTING:
        output_print("%s already there\n", code);
        break;
    case DOWNLOAD_NOT_FOUND: {
        const country_code lower = country_code_lower(result->code);
        output_print("%s not found: %s/%s/%s.gif\n", code, report->options->shown_site, lower.text,
                     lower.text);
        break;
    }
    case DOWNLOAD_ERROR:
        output_print("%s error: %s\n", code, result->message);
        break;
    case DOWNLOAD_LEFT:
        break;
    }
    output_flush();
}

/* JSON is UTF-8, which the name of a folder need not be. */
static json_t *json_of(const char *text) {
    json_t *string = json_string(text);
    char *plain = string == NULL ? strdup(text) : NULL;
    if (plain != NULL) {
        for (char *c = plain; *c != '\0'; c++) {
            *c = *c >= ' ' && *c <= '~' ? *c : '?';
        }
        string = json_string(plain);
        free(plain);
    }
    return string;
}

static void print_json_line(json_t *object) {
    char *line = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (line == NULL) {
        error(EXIT_ITEM, ENOMEM, "JSON");
    }
    output_print("%s\n", line);
    output_flush();
    free(line);
    json_decref(object);
}

static void print_json(const flags2_report *report, const download_result *result) {
    static const char *const STATUS[] = {
        [DOWNLOAD_LEFT] = "left",         [DOWNLOAD_OK] = "ok",
        [DOWNLOAD_EXISTING] = "existing", [DOWNLOAD_NOT_FOUND] = "not_found",
        [DOWNLOAD_ERROR] = "error",
    };
    json_t *object = json_pack("{s:s, s:s, s:i, s:I, s:f}", "cc", result->code.text, "status",
                               STATUS[result->status], "attempts", (int)result->attempts, "bytes",
                               (json_int_t)result->size, "elapsed", seconds(result->elapsed_ns));
    if (result->http_status != 0) {
        json_object_set_new(object, "http", json_integer(result->http_status));
    }
    if (result->status == DOWNLOAD_OK || result->status == DOWNLOAD_EXISTING) {
        char *file;
        if (asprintf(&file, "%s/%s.gif", report->options->download.folder, result->code.text) > 0) {
            json_object_set_new(object, "file", json_of(file));
            free(file);
        }
    }
    if (result->status == DOWNLOAD_ERROR) {
        json_object_set_new(object, "error", json_of(result->message));
    }
    print_json_line(object);
}

void flags2_report_count(flags2_report *report, const download_result *result) {
    if (result->status == DOWNLOAD_ERROR && report->counts[DOWNLOAD_ERROR] == 0) {
        report->first_error = *result;
    }
    report->counts[result->status]++;
    report->done += result->status != DOWNLOAD_LEFT;
}

void flags2_report_result(flags2_report *report, const download_result *result) {
    flags2_report_count(report, result);
    if (report->options->json) {
        print_json(report, result);
    } else if (report->options->verbose) {
        print_text(report, result);
    } else {
        progress_bar_show(&report->bar, report->done);
    }
}

/* ---- after ------------------------------------------------------------------------------------- */

static void print_counts(const flags2_report *report) {
    const size_t *counts = report->counts;
    output_print("--------------------\n%zu flag%s downloaded.\n", counts[DOWNLOAD_OK],
                 plural(counts[DOWNLOAD_OK]));
    if (counts[DOWNLOAD_EXISTING] > 0) {
        output_print("%zu flag%s already there.\n", counts[DOWNLOAD_EXISTING],
                     plural(counts[DOWNLOAD_EXISTING]));
    }
    if (counts[DOWNLOAD_NOT_FOUND] > 0) {
        output_print("%zu not found.\n", counts[DOWNLOAD_NOT_FOUND]);
    }
    if (counts[DOWNLOAD_ERROR] > 0) {
        output_print("%zu error%s.\n", counts[DOWNLOAD_ERROR], plural(counts[DOWNLOAD_ERROR]));
    }
    if (counts[DOWNLOAD_LEFT] > 0) {
        output_print("%zu left.\n", counts[DOWNLOAD_LEFT]);
    }
}

static void print_summary(const flags2_report *report, int64_t elapsed_ns) {
    const flags2_options *options = report->options;
    const size_t *counts = report->counts;
    print_json_line(json_pack(
        "{s:{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}}", "summary", "program",
        program_invocation_name, "server", options->label, "site", json_of(options->shown_site),
        "codes", (json_int_t)options->count, "connections", (json_int_t)options->most, "downloaded",
        (json_int_t)counts[DOWNLOAD_OK], "existing", (json_int_t)counts[DOWNLOAD_EXISTING],
        "not_found", (json_int_t)counts[DOWNLOAD_NOT_FOUND], "errors",
        (json_int_t)counts[DOWNLOAD_ERROR], "left", (json_int_t)counts[DOWNLOAD_LEFT], "elapsed",
        seconds(elapsed_ns)));
}

static void print_first_error(const flags2_report *report) {
    const download_result *first = &report->first_error;
    const char *advice = report->counts[DOWNLOAD_ERROR] > 1 ? " (--verbose shows all)" : "";
    error(0, 0, "first error: %s: %s%s", first->code.text, first->message, advice);
}

void flags2_report_end(flags2_report *report, int64_t elapsed_ns) {
    progress_bar_end(&report->bar, report->done);
    if (report->options->json) {
        print_summary(report, elapsed_ns);
    } else {
        print_counts(report);
        output_print("Elapsed time: %.2fs\n", seconds(elapsed_ns));
        output_flush();
        if (report->counts[DOWNLOAD_ERROR] > 0 && !report->options->verbose) {
            print_first_error(report);
        }
    }
}
