# The contract suite, and what the process pool alone promises. Included by CMakeLists.txt, as `tests` shall build them.

# The contract suite is one program; each row of its table of executors is one test.
set(contract_sources
  contract/callbacks.c
  contract/deadlines.c
  contract/map_items.c
  contract/nested.c
  contract/payloads.c
  contract/rows.c
  contract/stats.c
  contract/stream.c
  contract/terminate.c
  contract/worker_life.c
  contract/test_as_completed.c
  contract/test_as_completed_mixed.c
  contract/test_bounded_maps.c
  contract/test_callbacks.c
  contract/test_callbacks_allowed.c
  contract/test_callbacks_endings.c
  contract/test_callbacks_shutdown.c
  contract/test_cancel.c
  contract/test_claimed.c
  contract/test_deadlines.c
  contract/test_deadlines_processes.c
  contract/test_deadlines_stopped.c
  contract/test_deadlines_threads.c
  contract/test_deadlocks.c
  contract/test_errors.c
  contract/test_executors_in_tasks.c
  contract/test_finalizer.c
  contract/test_foreign_futures.c
  contract/test_fork.c
  contract/test_fork_join.c
  contract/test_group.c
  contract/test_idle.c
  contract/test_info.c
  contract/test_invalid.c
  contract/test_left_tasks.c
  contract/test_linear.c
  contract/test_map.c
  contract/test_map_chunk.c
  contract/test_map_costs.c
  contract/test_map_failures.c
  contract/test_map_items.c
  contract/test_map_shares.c
  contract/test_max_pending.c
  contract/test_max_pending_submitters.c
  contract/test_nested.c
  contract/test_paused_items.c
  contract/test_observer.c
  contract/test_payload_memory.c
  contract/test_payloads.c
  contract/test_pending_count.c
  contract/test_progress.c
  contract/test_released_memory.c
  contract/test_resources.c
  contract/test_results.c
  contract/test_run.c
  contract/test_shares.c
  contract/test_shutdown.c
  contract/test_state.c
  contract/test_stopped_submit.c
  contract/test_stream.c
  contract/test_stream_end.c
  contract/test_stream_failures.c
  contract/test_stream_room.c
  contract/test_stream_source.c
  contract/test_stream_window.c
  contract/test_submit.c
  contract/test_submit_many.c
  contract/test_terminate.c
  contract/test_terminate_processes.c
  contract/test_terminate_threads.c
  contract/test_threads.c
  contract/test_unseen.c
  contract/test_varied_endings.c
  contract/test_wait.c
  contract/test_worker_life.c
  contract/test_worker_life_failures.c
  contract/test_worker_names.c)
criterion_program(test_contract ${contract_sources})
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS contract/rows.c)
file(STRINGS contract/rows.c rows REGEX "\\.name = \"")
list(TRANSFORM rows REPLACE ".*\"(.*)\".*" "\\1")
target_link_libraries(test_contract PRIVATE ${with_openmp})
if(NOT with_openmp)
  list(REMOVE_ITEM rows openmp)
endif()
list(REMOVE_ITEM rows mpi) # contract_mpi.cmake

# leave_room(NAME): not alone, but beside one that waits for most of its time; early, while there are such.
function(leave_room name)
  set_tests_properties(${name} PROPERTIES RUN_SERIAL OFF PROCESSORS 3 COST 60)
endfunction()

# contract_test(NAME LABEL ROW ARG...)
function(contract_test name label row)
  primepool_test(${name} ${label} 300 test_contract ${two_at_once} ${ARGN})
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "CF_TEST_EXECUTOR=${row}")
  leave_room(${name})
endfunction()

# What depends most on how workers start, wait and end. The team of openmp, and the pool of threads that starts
# one and lets it grow, differ from thread_pool in nothing else.
set(workers_only --filter
    "@(callbacks_shutdown|claimed|deadlines_threads|deadlocks|executors_in_tasks|fork_join|forked|idle|map|max_pending|nested|resources|shutdown|submit|terminate|terminate_threads|threads)/*")
# AddressSanitizer makes a fork dear, and is to find what touches memory wrongly: what counts seconds, or does the same
# again for a long time, finds the same without it. On processes: what threads do not do.
if(PRIMEPOOL_SANITIZE MATCHES "address")
  set(subjects_of_thread_pool
      --filter
      "@(as_completed_mixed|bounded_maps|callbacks*|cancel|deadlines|deadlines_threads|deadlocks|errors|executors_in_tasks|finalizer|foreign_futures|fork_join|forked|info|invalid|left_tasks|map|map_*|nested|payloads|pending_count|released_memory|results|shares|state|stream*|submit|submit_many|terminate*|threads|unseen|varied_endings|wait)/*"
  )
  set(subjects_of_process_pool
      --filter
      "@(cancel|errors|foreign_futures|forked|map|map_failures|payloads|released_memory|results|stream_failures|terminate_processes|unseen|varied_endings|wait|worker_life_failures)/*"
  )
endif()
foreach(row IN LISTS rows)
  if(row STREQUAL "openmp")
    contract_test(contract.openmp contract openmp ${workers_only})
    if(PRIMEPOOL_NIGHTLY)
      contract_test(nightly.contract_openmp nightly openmp)
    endif()
  else()
    contract_test(contract.${row} contract ${row} ${subjects_of_${row}})
  endif()
endforeach()
contract_test(contract.thread_pool_growing contract thread_pool ${workers_only})
set_property(TEST contract.thread_pool_growing APPEND PROPERTY ENVIRONMENT CF_TEST_MIN_WORKERS=1)

option(PRIMEPOOL_PROCESS_TESTS "Build process/" ON)
if(NOT PRIMEPOOL_PROCESS_TESTS)
  return()
endif()
set(process_subjects worker_death pending_death nursery_death caller_death foreign_futures newborn_workers
                     surroundings limits refusals groups signals forking_tasks system reaping exits descriptors
                     stopped_nursery stopped_worker wild_writes)
# AddressSanitizer takes the end of a thread that is cancelled for a fault of the stack.
if(NOT PRIMEPOOL_SANITIZE MATCHES "address")
  list(APPEND process_subjects cancelled_threads)
endif()
# Their tests wait for the library to look for damage, once a second, and for stopped processes.
set(waiting_subjects wild_writes groups)
foreach(subject IN LISTS process_subjects)
  set(jobs ${one_by_one})
  if(subject IN_LIST waiting_subjects)
    set(jobs ${two_at_once})
  endif()
  criterion_program(test_${subject} process/process.c process/test_${subject}.c)
  primepool_test(process.${subject} process 300 test_${subject} ${jobs})
  if(subject IN_LIST waiting_subjects)
    leave_room(process.${subject})
  endif()
endforeach()
target_include_directories(test_stopped_worker PRIVATE "${PROJECT_SOURCE_DIR}/src")

target_link_libraries(test_refusals PRIVATE test_refuse)
