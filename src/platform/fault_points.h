/* Every fault point: X(IDENTIFIER, name, what was done just before and what comes next).
 *
 * The first part is passed by workers; in a thread pool that is the program's own process. */
#ifndef PLATFORM_FAULT_POINTS_H
#define PLATFORM_FAULT_POINTS_H

#define PLAT_FAULT_POINTS(X)                                                                       \
    X(WORKER_FORKED, "worker.forked", "a worker: the nursery has not noted it yet")                \
    X(WORKER_BEGINS, "worker.begins", "a worker: before its initializer")                          \
    X(WORKER_READY, "worker.ready", "a worker: has told that its initializer succeeded")           \
    X(CLAIM_NOTED, "claim.noted", "has noted what it claims; the cursor has not moved")            \
    X(CLAIM_MOVED, "claim.moved", "has moved the cursor past what it claims")                      \
    X(BEGIN_NOTED, "begin.noted", "has noted the task as its current one; it is pending")          \
    X(BEGIN_BEGUN, "begin.begun", "the task is running")                                           \
    X(RUN_COUNTED, "run.counted", "has counted the run, and told a submit that waits for room")    \
    X(LIMIT_SHOWN, "limit.shown", "has shown the end of the run's time limit")                     \
    X(RUN_ENTERS, "run.enters", "before it calls the task's function")                             \
    X(RUN_RETURNED, "run.returned", "the task's function has returned")                            \
    X(LIMIT_ENDED, "limit.ended", "has taken the time limit back")                                 \
    X(ITEM_BEGUN, "item.begun", "has noted an item of a chunk as begun")                           \
    X(ITEM_RETURNED, "item.returned", "the item's function has returned")                          \
    X(ITEM_VARIES, "item.varies", "has written how items ended; the caller does not read it yet")  \
    X(ITEM_DONE, "item.done", "has noted the item as done")                                        \
    X(SETTLE_WRITTEN, "settle.written", "has written how the task ended; it is still running")     \
    X(SETTLE_COUNTED, "settle.counted", "has counted its end")                                     \
    X(SETTLE_SETTLED, "settle.settled", "the task is finished; nobody was told")                   \
    X(SETTLE_CONFIRMED, "settle.confirmed", "has told everybody, and confirmed its counts")        \
    X(ANNOUNCE_WAITED, "announce.waited", "before it wakes the threads that wait for the task")    \
    X(ANNOUNCE_LINKED, "announce.linked", "before it puts the task on the completion stack")       \
    X(ANNOUNCE_PUSHED, "announce.pushed", "the task is on the completion stack; no bell has rung") \
    X(ANNOUNCE_RUNG, "announce.rung", "has rung the bell, not yet that of the callbacks")          \
    X(WORKER_IDLE, "worker.idle", "has no current task any more")                                  \
    X(SEARCH_BEGUN, "search.begun", "is the worker that searches")                                 \
    X(SEARCH_FOUND, "search.found", "has found that there is work")                                \
    X(HAND_OVER_BEGUN, "hand_over.begun", "runs a task; owes the others a searcher or a wake-up")  \
    X(HAND_OVER_LEFT, "hand_over.left", "searches no more, and has not armed")                     \
    X(HAND_OVER_ARMED, "hand_over.armed", "has armed; has not looked whether there is more work")  \
    X(SLEEP_ARMED, "sleep.armed", "has asked to be woken; has not looked for work again")          \
    X(SLEEP_BEGINS, "sleep.begins", "has found no work, and is about to sleep")                    \
    X(SLEEP_WOKEN, "sleep.woken", "was woken")                                                     \
    X(WORKER_RETIRES, "worker.retires", "has run its max_tasks_per_worker")                        \
    X(WORKER_ENDS, "worker.ends", "a worker: before its finalizer")                                \
                                                                                                   \
    X(NURSERY_STARTS, "nursery.starts", "the nursery: before its first look")                      \
    X(NURSERY_FORKS, "nursery.forks", "the nursery: before it forks a worker")                     \
    X(NURSERY_FORKED, "nursery.forked", "the nursery: has forked a worker and not noted it")       \
    X(NURSERY_NOTED, "nursery.noted", "the nursery: has noted the worker, and not woken it")       \
    X(NURSERY_KILLS, "nursery.kills", "the nursery: sees a dead worker; its group still lives")    \
    X(NURSERY_REAPS, "nursery.reaps", "the nursery: has killed the group, not reaped the worker")  \
    X(NURSERY_REAPED, "nursery.reaped", "the nursery: has reaped the worker, not noted its death") \
    X(NURSERY_BURIED, "nursery.buried", "the nursery: has noted the death; nobody was told")       \
    X(NURSERY_TOLD, "nursery.told", "the nursery: has told the supervisor of deaths")              \
    X(NURSERY_SENDS, "nursery.sends", "the nursery: before it sends a signal that was asked for")  \
    X(NURSERY_WAITS, "nursery.waits", "the nursery: before it waits for the next event")           \
    X(NURSERY_ENDS, "nursery.ends", "the nursery: before it kills the workers and ends")           \
                                                                                                   \
    X(CREATE_FORKED, "create.forked", "create: the nursery runs; there is no supervisor")          \
    X(CREATE_DONE, "create.done", "create: the supervisor runs")                                   \
    X(RESERVE_DONE, "reserve.done", "submit: has all that it needs; the slot is closed")           \
    X(RESERVE_ABANDONED, "reserve.abandoned", "a map or stream: has given the slot back")          \
    X(PUBLISH_FILLED, "publish.filled", "submit: has filled the slot in; it is closed")            \
    X(PUBLISH_OPENED, "publish.opened", "submit: the slot is pending; workers do not see it")      \
    X(PUBLISH_DONE, "publish.done", "submit: workers see the task; none was woken")                \
    X(PUBLISH_SHOWN, "publish.shown", "submit: has woken a worker, if one was to be woken")        \
    X(TAKE_BACK_RESERVED, "take_back.reserved",                                                    \
      "a map or stream: has a slot for items of a chunk")                                          \
    X(TAKE_BACK_MOVED, "take_back.moved", "a map or stream: has moved a running chunk's end")      \
    X(TAKE_BACK_DONE, "take_back.done", "a map or stream: has items back, and not sent them")      \
    X(TAKE_BACK_SENT, "take_back.sent", "a map or stream: has sent them as a chunk of their own")  \
    X(DEADLINE_DECLARED, "deadline.declared", "the deadline thread: a run is over its time")       \
    X(DEADLINE_KILLED, "deadline.killed", "the deadline thread: has asked for the worker's end")   \
    X(DEATH_SEEN, "death.seen", "the supervisor: sees a dead worker")                              \
    X(DEATH_JUDGED, "death.judged", "the supervisor: has judged the task that it ran")             \
    X(DEATH_GIVEN_BACK, "death.given_back", "the supervisor: has given back what it had claimed")  \
    X(DEATH_WOKEN, "death.woken", "the supervisor: has woken all that it could have woken")        \
    X(DEATH_CLEANED, "death.cleaned", "the supervisor: has cleaned its record")                    \
    X(DEATH_VACANT, "death.vacant", "the supervisor: has asked for a successor")                   \
    X(BREAK_BEGINS, "break.begins", "the supervisor: the pool is about to be broken")              \
    X(SHUTDOWN_BEGINS, "shutdown.begins", "shutdown: tasks are still accepted")                    \
    X(SHUTDOWN_STOPPED, "shutdown.stopped", "shutdown: none is accepted; no worker was woken  ")   \
    X(SHUTDOWN_TOLD, "shutdown.told", "shutdown: workers were told to end")                        \
    X(SHUTDOWN_JOINED, "shutdown.joined", "shutdown: all workers are gone")

#endif
