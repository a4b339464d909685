/* Streams: in order and as completed, read to their end, stopped, and closed early. */
#include "storm.h"

#include <string.h>

typedef struct flow {
    client *client;
    terms t;
    size_t count;       /* that its source has */
    uint32_t first;     /* id */
    size_t given;       /* to the library by the source */
    size_t taken;       /* handed out */
    size_t expected;    /* in order: the next index; after a stop also a later one */
    size_t stop_after;  /* SIZE_MAX = it is not stopped */
    size_t close_after; /* likewise */
    bool is_slow;       /* its source has nothing now and then */
    bool in_order;
    uint64_t seed; /* of the source's pauses */
} flow;

static spec spec_of(const flow *f, size_t i) {
    spec s;
    memcpy(&s, f->client->args + i * sizeof s, sizeof s);
    return s;
}

static cf_source_answer next_item(void *context, void *arg) {
    flow *f = context;
    if (f->given == f->count) {
        return CF_SOURCE_END;
    }
    if (f->is_slow && one_in(&f->seed, 4)) {
        return CF_SOURCE_LATER;
    }
    spec_write(spec_of(f, f->given++), arg, f->t.arg_size);
    return CF_SOURCE_ITEM;
}

static void check_item(flow *f, const cf_stream_item *item) {
    client *c = f->client;
    const size_t i = (size_t)item->index;
    if (i >= f->given) {
        wrong(c, f->first, "cf_stream_next", "an item that was never given", CF_OK);
        return;
    }
    const spec s = spec_of(f, i);
    if (c->handed_out[i]++ > 0) {
        doubled(c, s.id, "cf_stream_next", "it was handed out twice");
    }
    const bool stopped = f->taken >= f->stop_after;
    if (f->in_order && (stopped ? i < f->expected : i != f->expected)) {
        wrong(c, s.id, "cf_stream_next", "it was handed out in another order", CF_OK);
    }
    f->expected = i + 1;
    check_end(c, "cf_stream_next", &f->t, s, &item->exception, stopped, -1);
    if (item->arg == NULL || !spec_is(s, item->arg, f->t.arg_size)) {
        wrong(c, s.id, "cf_stream_next", "another argument", item->exception.status);
    }
    const size_t size = item->exception.status == CF_OK ? result_length(s, f->t.result_size) : 0;
    if (item->result_size != size || !result_is(s, item->result, size)) {
        wrong(c, s.id, "cf_stream_next", "another result", item->exception.status);
    }
}

/* Returns why it ended; CF_OK: it is to be closed early. */
static cf_status take_items(flow *f, cf_stream *stream) {
    client *c = f->client;
    for (;;) {
        cf_stream_item item;
        const bool patient = c->plan->mood == BIG || !one_in(&c->seed, 8);
        const int64_t timeout_ns =
            patient ? CF_FOREVER : (int64_t)between(&c->seed, 0, 1) * 100 * MICROSECOND;
        if (f->taken == f->stop_after) {
            at(c, "cf_stream_stop");
            cf_stream_stop(stream);
        }
        if (f->taken >= f->close_after) {
            return CF_OK;
        }
        at(c, "cf_stream_next");
        const cf_status status = cf_stream_next(stream, timeout_ns, &item);
        if (status == CF_OK) {
            check_item(f, &item);
            f->taken++;
        } else if (status != CF_ELATER && (status != CF_ETIMEDOUT || patient)) {
            return status;
        }
    }
}

static void check_end_of_stream(flow *f, cf_status status) {
    client *c = f->client;
    const bool stopped = f->taken >= f->stop_after;
    if (status == CF_OK) {
        return;
    }
    if (status != CF_EEXHAUSTED) {
        may_refuse(c, "cf_stream_next", status);
    } else if (!stopped && f->given != f->count) {
        wrong(c, f->first, "cf_stream_next", "exhausted before its source", status);
    }
    if (!stopped && f->taken != f->given) {
        wrong(c, f->first, "cf_stream_next", "an item was never handed out", status);
    }
}

static void make_items(client *c, flow *f) {
    const size_t count = c->plan->mood == BIG        ? between(&c->seed, 100000, ids_left(c))
                         : c->plan->mood == MASSACRE ? between(&c->seed, 100, 400)
                                                     : between(&c->seed, 0, 120);
    f->client = c;
    f->t = make_terms(c, count <= 16 ? PAYLOAD_MOST : 4 << 10);
    f->count = count < ids_left(c) ? count : ids_left(c);
    f->first = take_ids(c, f->count, f->t.retries);
    for (size_t i = 0; i < f->count; i++) {
        const spec s = make_spec(c, &f->t, f->first + (uint32_t)i, true);
        memcpy(c->args + i * sizeof s, &s, sizeof s);
    }
    memset(c->handed_out, 0, f->count);
    f->stop_after = one_in(&c->seed, 6) ? between(&c->seed, 0, f->count) : SIZE_MAX;
    f->close_after = one_in(&c->seed, 6) ? between(&c->seed, 0, f->count) : SIZE_MAX;
    f->is_slow = c->plan->mood != BIG && one_in(&c->seed, 4);
    f->seed = random_next(&c->seed);
}

void play_stream(client *c) {
    flow f = {0};
    make_items(c, &f);
    const bool is_big = c->plan->mood == BIG;
    const cf_task task = {.name = "stream",
                          .run = storm_run,
                          .arg_size = f.t.arg_size,
                          .result_size = f.t.result_size,
                          .unzeroed = one_in(&c->seed, 3)};
    const cf_stream_options options = {
        .as_completed = one_in(&c->seed, 2),
        .window = is_big || one_in(&c->seed, 2) ? 0 : between(&c->seed, 1, 40),
        .chunk = is_big || one_in(&c->seed, 2) ? 0 : between(&c->seed, 1, 12),
        .size_hint = one_in(&c->seed, 2) ? f.count : between(&c->seed, 0, 1000),
        .retries = f.t.retries,
        .timeout_ns = f.t.timeout_ns};
    cf_stream *stream = NULL;
    char text[64];
    f.in_order = !options.as_completed;
    c->has_chunks = true;
    at(c, "cf_stream_open");
    cf_status status = cf_stream_open(choose_executor(c), &task, next_item, &f, &options, &stream);
    if (status != CF_OK) {
        may_refuse(c, "cf_stream_open", status);
        return;
    }
    cf_stream_describe(stream, text, between(&c->seed, 1, sizeof text));
    status = take_items(&f, stream);
    check_end_of_stream(&f, status);
    at(c, "cf_stream_close");
    cf_stream_close(stream);
    tally_add(&sums->items, f.taken);
}
