#include "cfutures/batch/pace.h"

#include "cfutures/queue/tuning.h"

#include "platform/assert.h"

/* Items of the next chunk. Chunks get shorter near the end, so that all workers end together. */
static size_t next_count(const cf_stream *stream) {
    uint64_t left = stream->options.size_hint - stream->taken;
    cfi_assert(stream->chunk > 0 && stream->chunk <= stream->chunk_max);
    if (!cfi_pace_is_adaptive(stream) || stream->options.size_hint <= stream->taken) {
        return stream->chunk;
    }
    uint64_t share = left / ((uint64_t)stream->executor->max_workers * CFI_CHUNK_DIVISOR);
    double least = stream->pace_ns > 0 ? CFI_CHUNK_MIN_NS / stream->pace_ns : 1;
    if ((double)share < least) {
        share = least < (double)stream->chunk ? (uint64_t)least : stream->chunk;
    }
    return share >= stream->chunk ? stream->chunk : share > 0 ? (size_t)share : 1;
}

size_t cfi_pace_room(const cf_stream *stream) {
    uint64_t window = stream->options.window > 0
                          ? stream->options.window
                          : (uint64_t)stream->executor->max_workers * 16 * stream->chunk;
    uint64_t out = stream->taken - stream->handed_out;
    cfi_assert(stream->handed_out <= stream->taken);
    uint64_t room = window > out ? window - out : 0;
    size_t count = next_count(stream);
    bool filling = stream->handed_out == 0;
    cfi_assert(count > 0 && count <= stream->chunk);
    return room >= count ? count : filling ? (size_t)room : 0;
}

bool cfi_pace_may_send(const cf_stream *stream) {
    return !cfi_pace_is_adaptive(stream) || stream->options.window > 0 ||
           stream->under_way < (size_t)stream->executor->max_workers * CFI_CHUNKS_UNDER_WAY;
}

void cfi_pace_learn(cf_stream *stream, const cfi_chunk_progress *progress) {
    uint32_t done = plat_load_acquire(&progress->done);
    if (done == 0) {
        return;
    }
    double pace_ns = (double)progress->busy_ns / done;
    stream->pace_ns = stream->pace_ns > 0 ? (stream->pace_ns + 3 * pace_ns) / 4 : pace_ns;
    if (!cfi_pace_is_adaptive(stream)) {
        return;
    }
    double fitting = CFI_CHUNK_NS / (stream->pace_ns > 0.1 ? stream->pace_ns : 0.1);
    double most = (double)stream->chunk * CFI_CHUNK_GROWTH;
    most = most < (double)stream->chunk_max ? most : (double)stream->chunk_max;
    fitting = fitting < most ? fitting : most;
    stream->chunk = fitting > 1 ? (size_t)fitting : 1;
    cfi_assert(stream->chunk <= stream->chunk_max);
}

uint32_t cfi_pace_together(const cf_stream *stream) {
    size_t room = cfi_chunk_step(stream->task.result_size);
    double most = room > 0 ? CFI_TOGETHER_BYTES / (double)room : CFI_TOGETHER_ITEMS;
    double fitting = stream->pace_ns > 0 ? CFI_TOGETHER_NS / stream->pace_ns : 1;
    most = most < CFI_TOGETHER_ITEMS ? most : CFI_TOGETHER_ITEMS;
    fitting = fitting < most ? fitting : most;
    return fitting > 1 ? (uint32_t)fitting : 1;
}

size_t cfi_pace_max_in_chunk(const cf_executor *executor, const cf_task *task,
                             const cf_stream_options *options, bool direct) {
    cfi_assert(task->arg_size <= CF_PAYLOAD_MAX && task->result_size <= CF_PAYLOAD_MAX);
    cfi_assert(executor->max_workers > 0);
    size_t item = cfi_chunk_step(task->arg_size) + cfi_chunk_step(task->result_size) +
                  sizeof(cfi_chunk_ending);
    size_t most = direct ? UINT32_MAX / 2 : (size_t)CFI_BLOCK_BYTES_MAX / 2 / item;
    size_t window = options->window > 0 ? options->window : SIZE_MAX;
    size_t wish = options->chunk;
    if (wish == 0) {
        wish = direct ? CFI_CHUNK_ITEMS : CFI_CHUNK_SENT_BYTES / item;
        window /= 2 * (size_t)executor->max_workers; /* a worker runs one, and one waits for it */
    }
    most = window < most ? window : most;
    most = wish < most ? wish : most;
    if (options->timeout_ns > 0 && most >= CFI_TICKS_MAX) {
        most = CFI_TICKS_MAX - 1; /* the worker ticks once more than there are items */
    }
    most = most > 0 ? most : 1;
    cfi_assert(most <= UINT32_MAX);
    cfi_assert(direct || cfi_payload_size(cfi_chunk_arg_size(task->arg_size, most),
                                          cfi_chunk_result_size(task->result_size, most)) <=
                             (size_t)CFI_BLOCK_BYTES_MAX);
    return most;
}
