// oneTBB: task_group::run, and parallel_for with its auto_partitioner.
//
// Who waits for a group runs its tasks too. So for tasks the arena has a place for the caller beside
// the workers, as an executor of ours has; for a map, where our caller only waits, it has not.
#include "bench/tasks.h"

#include <atomic>
#include <memory>

#include <oneapi/tbb.h>

namespace {

struct means {
    tbb::global_control most;
    tbb::task_arena for_tasks, for_map;
    tbb::task_group group;

    explicit means(unsigned workers)
        : most(tbb::global_control::max_allowed_parallelism, workers + 1),
          for_tasks(static_cast<int>(workers) + 1, 1), for_map(static_cast<int>(workers), 1) {
    }
};

std::unique_ptr<means> all;

// Of the library that runs, not of the header.
const char *version() {
    return TBB_runtime_version();
}

// So many tasks at once that each of the arena's threads must have one.
void meet(tbb::task_arena &arena, unsigned threads) {
    std::atomic<unsigned> there{0};
    const auto arrive = [&] {
        there++;
        while (there < threads) {}
    };
    arena.execute([&] {
        for (unsigned i = 1; i < threads; i++) {
            all->group.run(arrive);
        }
        arrive();
        all->group.wait();
    });
}

void open_arenas(unsigned workers) {
    all = std::make_unique<means>(workers);
    meet(all->for_map, workers);
    meet(all->for_tasks, workers + 1);
}

void close_arenas() {
    all.reset();
}

void submit(const submit_job *job) {
    auto *results = static_cast<uint64_t *>(job->memory);
    all->for_tasks.execute([&] {
        for (size_t i = 0; i < job->count; i++) {
            const addends arg = addends_of(i);
            uint64_t *result = &results[i];
            all->group.run([arg, result] { *result = arg.a + arg.b; });
        }
    });
}

uint64_t collect(const submit_job *job) {
    const auto *results = static_cast<const uint64_t *>(job->memory);
    all->for_tasks.execute([] { all->group.wait(); });
    uint64_t sum = 0;
    for (size_t i = 0; i < job->count; i++) {
        sum += results[i];
    }
    return sum;
}

uint64_t submit_all(const submit_job *job) {
    submit(job);
    return collect(job);
}

uint64_t round_trip(addends arg) {
    uint64_t result = 0;
    all->for_tasks.execute([&] {
        all->group.run([arg, &result] { result = arg.a + arg.b; });
        all->group.wait();
    });
    return result;
}

void block(unsigned workers) {
    all->for_tasks.execute([workers] {
        for (unsigned i = 0; i < workers; i++) {
            all->group.run(gate_pass);
        }
    });
}

void map(const map_job *job) {
    all->for_map.execute([job] {
        tbb::parallel_for(tbb::blocked_range<size_t>(0, job->count),
                          [job](const tbb::blocked_range<size_t> &range) {
                              for (size_t i = range.begin(); i != range.end(); i++) {
                                  job->run(&job->in[i], &job->out[i], nullptr);
                              }
                          });
    });
}

task_contender described() {
    task_contender one{};
    one.name = "onetbb";
    one.version = version;
    one.open = open_arenas;
    one.close = close_arenas;
    one.memory_size = sizeof(uint64_t);
    one.memory_is_apart = 1;
    one.ways[WAY_ALL] = submit_all;
    one.submit = submit;
    one.collect = collect;
    one.round_trip = round_trip;
    one.block = block;
    one.map = map;
    return one;
}

} // namespace

const task_contender tasks_onetbb = described();
