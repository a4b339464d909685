/* It may have been asleep, about to be, or on its way to the first of them: whoever submits wakes another
 * one. */
Test(pending_death, a_worker_stopped_before_there_is_work_keeps_none) {
    uint64_t seed = test_seed("pending_death/a_worker_stopped_before_there_is_work_keeps_none");
    ledger *l = shared_alloc(sizeof *l);
    cf_executor *pool = create_pool(WORKERS);
    check_works(pool);
    for (size_t round = scaled(300); round > 0; round--) {
        cf_future *futures[N];
        pid_t pids[WORKERS];
        const size_t workers = worker_pids(pool, pids, WORKERS);
        const pid_t stopped = pids[random_next(&seed) % workers];
        for (uint64_t warm = random_next(&seed) % 3; warm > 0; warm--) {
            cf_future *f = submit(pool, &square_task, &warm);
            EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
            cf_future_release(f);
        }
        spin_for((int64_t)(random_next(&seed) % (uint64_t)(60 * MICROSECOND)));
        cr_assert_eq(kill(stopped, SIGSTOP), 0);
        submit_entries(pool, l, futures, 0, &seed);
        all_but_one_finish(pool, l, futures, stopped);
    }
    cf_executor_destroy(pool);
    shared_free(l, sizeof *l);
}
