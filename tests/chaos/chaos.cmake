# The suites that break pools on purpose: tests/README.md, "Chaos". Included by CMakeLists.txt, as `tests` shall
# build them.

set(chaos "${CMAKE_CURRENT_SOURCE_DIR}/chaos")
add_custom_target(chaos)

get_target_property(chaos_core_sources cfutures SOURCES)
list(TRANSFORM chaos_core_sources PREPEND "${PROJECT_SOURCE_DIR}/src/")

# The library with fault points. Objects, so that a program gets nothing of the library without them. The
# look for damage is off: it would find each second what a lost wake-up has left.
set(with_fault_points ${chaos_core_sources})
if(NOT PRIMEPOOL_FAULT_POINTS)
  list(APPEND with_fault_points "${PROJECT_SOURCE_DIR}/src/platform/fault.c"
              "${PROJECT_SOURCE_DIR}/src/platform/fault_rules.c")
endif()
set(chaos_tuning "${CMAKE_CURRENT_BINARY_DIR}/chaos_tuning")
explorer_replace("${PROJECT_SOURCE_DIR}/src/cfutures/queue/tuning.h" "${chaos_tuning}/cfutures/queue/tuning.h"
                 "CFI_DAMAGE_LOOK_NS = 1000000000," "CFI_DAMAGE_LOOK_NS = 0,")
add_custom_target(chaos_tuning DEPENDS "${chaos_tuning}/cfutures/queue/tuning.h")

function(chaos_without_look target)
  target_include_directories(${target} PRIVATE "${chaos_tuning}" "${PROJECT_SOURCE_DIR}/src"
                                               "${PROJECT_SOURCE_DIR}/src/include")
  add_dependencies(${target} chaos_tuning)
endfunction()

function(chaos_with_fault_points target)
  target_compile_definitions(${target} PRIVATE CFI_FAULT_POINTS=)
  chaos_without_look(${target})
endfunction()
add_library(chaos_fault_points OBJECT ${with_fault_points})
chaos_with_fault_points(chaos_fault_points)
target_link_libraries(chaos_fault_points PRIVATE primepool_warnings)

# As it is, but without the look.
add_library(chaos_core OBJECT ${chaos_core_sources})
chaos_without_look(chaos_core)
target_link_libraries(chaos_core PRIVATE primepool_warnings)

# chaos_suite(NAME SOURCE...): a program that uses the library, and its test in the reduced form.
function(chaos_suite name)
  list(TRANSFORM ARGN PREPEND "${chaos}/")
  add_executable(chaos_${name} ${ARGN} "${chaos}/tally.c")
  target_link_libraries(chaos_${name} PRIVATE test_support primepool_warnings)
  add_dependencies(chaos chaos_${name})
  primepool_test(chaos.${name} chaos 300 chaos_${name})
  set(chaos_${name}_sources ${ARGN} "${chaos}/tally.c" PARENT_SCOPE)
endfunction()

# chaos_planted(SUITE NAME FILE EXPECTED ORIGINAL REPLACEMENT): proof that a suite can fail. FILE (a .c or
# .h of src), with ORIGINAL, which stands there once, replaced. The suite must fail, and print what matches
# EXPECTED. Nightly: each takes up to a quarter of a minute.
function(chaos_planted suite name file expected original replacement)
  set(target chaos_planted_${name})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/planted/${name}")
  set(input "${PROJECT_SOURCE_DIR}/src/${file}")
  explorer_replace("${input}" "${folder}/${file}" "${original}" "${replacement}")
  set(objects "${chaos_objects_${suite}}")
  set(sources "${folder}/${file}")
  set(rest "")
  if(objects) # of the suite's own copy of the library: all but this one
    set(rest "$<FILTER:$<TARGET_OBJECTS:${objects}>,EXCLUDE,/${file}\\.o$>")
  elseif(file MATCHES "\\.h$")
    set(sources ${chaos_core_sources})
  endif()
  add_custom_target(${target}_source DEPENDS "${folder}/${file}")
  add_library(${target}_core OBJECT ${sources})
  add_dependencies(${target}_core ${target}_source)
  target_include_directories(${target}_core PRIVATE "${folder}")
  if(objects)
    target_compile_definitions(${target}_core PRIVATE $<TARGET_PROPERTY:${objects},COMPILE_DEFINITIONS>)
    target_include_directories(${target}_core PRIVATE $<TARGET_PROPERTY:${objects},INCLUDE_DIRECTORIES>)
    add_dependencies(${target}_core chaos_tuning)
  endif()
  target_include_directories(${target}_core PRIVATE "${PROJECT_SOURCE_DIR}/src"
                                                    "${PROJECT_SOURCE_DIR}/src/include")
  add_executable(${target} ${chaos_${suite}_sources} ${rest})
  if(NOT PRIMEPOOL_NIGHTLY)
    set_target_properties(${target} ${target}_core PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  # Its objects come before the library, of which the linker then does not take the original.
  target_link_libraries(${target} PRIVATE ${target}_core test_support primepool_warnings)
  if(PRIMEPOOL_NIGHTLY)
    primepool_test(nightly.planted.${name} nightly 300 ${target})
    set_tests_properties(nightly.planted.${name} PROPERTIES PASS_REGULAR_EXPRESSION "${expected}"
                                                            FAIL_REGULAR_EXPRESSION "")
  endif()
endfunction()

# ---- points ----------------------------------------------------------------------------------------

chaos_suite(points points.c points_scenarios.c)
target_link_libraries(chaos_points PRIVATE chaos_fault_points)
set(chaos_objects_points chaos_fault_points)

chaos_planted(points death_does_not_rewind cfutures/worker_death.c "(lost|hung)=[1-9]" [[
    if (cfi_word_phase(plat_load_acquire(&cfi_slot_of(future)->word)) == CFI_PENDING) {
        cfi_queue_rewind]] [[
    if (executor == NULL) {
        cfi_queue_rewind]])

chaos_planted(points death_is_a_success cfutures/worker_death.c "lost=[1-9]" [[
    settle_as_lost(executor, future, worker, CF_EWORKER, wait_status);
    return false;]] [[
    run_again(executor, future, worker, word, wait_status);
    return false;]])

chaos_planted(points death_leaves_waiters_asleep cfutures/worker_death.c "hung=[1-9]" [[
    plat_futex_wake_all(&cfi_slot_of(future)->futex,
                        queue->shared); /* it may have died before it woke them */]] "")

chaos_planted(points pool_leaves_descriptors executors/process_pool.c "leaked=[1-9]"
              "    close_files((process_pool *)executor);" "    (void)close_files;")

# ---- steps -----------------------------------------------------------------------------------------

chaos_suite(steps steps.c steps_ways.c tracer.c)
target_link_libraries(chaos_steps PRIVATE chaos_core)
set(chaos_objects_steps chaos_core)
chaos_planted(steps judge_leaves_waiters_asleep cfutures/worker_death.c "hung=[1-9]" [[
    plat_futex_wake_all(&cfi_slot_of(future)->futex,
                        queue->shared); /* it may have died before it woke them */]] "")

chaos_planted(steps claimed_is_not_given_back cfutures/worker_death.c "(lost|hung)=[1-9]"
              "    give_back_claimed(executor, worker);"
              "    plat_store_relaxed(&record->claimed, 0); (void)give_back_claimed;")

# ---- the storm: every call and option at random, under every death -----------------------------------

chaos_suite(storm storm.c storm_client.c storm_items.c storm_jobs.c storm_killer.c storm_ledger.c
            storm_pings.c storm_plan.c storm_round.c storm_stream.c)
target_link_libraries(chaos_storm PRIVATE ${with_openmp})

# A dead worker had settled a task, and not announced it: nobody is told.
chaos_planted(
  storm
  storm_untold
  cfutures/waiting/watch.c
  "does not end"
  "    if (cfi_future_is_asked(future) && cfi_word_phase(word) == CFI_FINISHED &&
        cfi_word_owner(word) == worker) {
        collect(future);
    }
    plat_biased_lock_give(&executor->drain_lock);
    ring_all(executor);"
  "    (void)word, (void)worker;
    plat_biased_lock_give(&executor->drain_lock);
    ring_all(executor);")

# What it had claimed is not given back.
chaos_planted(
  storm
  storm_claimed
  cfutures/worker_death.c
  "nothing broke the pool|does not end" # the library looks for lost tasks itself
  "        if (future != NULL) {
            give_back(executor, future);
        }"
  "        (void)future;")

# A lost task is told as done.
chaos_planted(
  storm storm_torn cfutures/worker_death.c
  "it succeeded, (though it cannot|but never ran to its end)|another result|began (twice|more often)"
  "    slot->outcome = (uint8_t)outcome;
    slot->detail = wait_status;"
  "    slot->outcome = CF_OK;
    slot->detail = wait_status != 0 ? (int32_t)slot->result_size : 0;")

# A task that begins again has its attempt back.
chaos_planted(
  storm storm_attempts cfutures/queue/slot.h "began (twice|more often)|another number of attempts"
  "        if (plat_cas(&slot->word, word, cfi_word_with_phase(*word, phase))) {"
  "        if (plat_cas(&slot->word, word,
                     cfi_word_with_phase(*word, phase) -
                         (phase == CFI_PENDING ? CFI_ATTEMPT : 0))) {")

# A worker looks whether a task is pending, and then begins it: it may have been cancelled in between.
chaos_planted(storm storm_unchecked cfutures/queue/slot.h "ended otherwise|began twice|does not end"
              "        if (plat_cas(&slot->word, &seen, next)) {
            *word = next;"
              "        if (plat_store_release(&slot->word, next), true) {
            *word = next;")

# A chunk that broke is sent again from an item on that was done.
chaos_planted(
  storm storm_sent_again cfutures/batch/window.c "began (twice|more often)|tasks ran again"
  "    uint32_t done = plat_load_acquire(&progress->done);"
  "    uint32_t done = plat_load_acquire(&progress->done);
    done -= exception.status == CF_EWORKER && done > 1;")

# as_completed hands out a future again, in place of another one.
chaos_planted(storm storm_handed_out cfutures/as_completed.c "handed out twice"
              "    iteration->done_next = i + 1;" "    iteration->done_next = i;")

if(PRIMEPOOL_NIGHTLY)
  foreach(bug untold claimed torn attempts unchecked sent_again handed_out)
    set_property(TEST nightly.planted.storm_${bug} APPEND PROPERTY ENVIRONMENT CF_CHAOS_HANG_MS=3000
                                                                   CF_TEST_MULT=8)
  endforeach()
endif()

# Torture: calls that fail.
chaos_suite(
  torture
  torture.c
  torture_case.c
  torture_checks.c
  torture_inside.c
  torture_lives.c
  torture_scenarios.c
  failing.c
  failing_blocks.c)
target_link_libraries(chaos_torture PRIVATE ${with_openmp})

# torture_planted(NAME CASES FILE EXPECTED ORIGINAL REPLACEMENT): all cases whose names begin with CASES.
function(torture_planted name cases file expected original replacement)
  chaos_planted(torture torture_${name} "${file}" "${expected}" "${original}" "${replacement}")
  if(PRIMEPOOL_NIGHTLY)
    set_property(TEST nightly.planted.torture_${name} APPEND PROPERTY ENVIRONMENT "CF_TORTURE=${cases}")
  endif()
endfunction()

torture_planted(
  leak_in_map map/serial/ cfutures/map.c "blocks of malloc" [[
        free(order);
        order = NULL;]] [[
        order = NULL;]])

torture_planted(
  leak_of_callback callbacks/thread_pool/ cfutures/waiting/callback.c "blocks of malloc" [[
        free(made);
        return CF_EAGAIN;]] [[
        return CF_EAGAIN;]])

torture_planted(
  unchecked_malloc stream_ordered/serial/ cfutures/batch/window.c "crashed: Segmentation fault" [[
    cf_stream *made = plat_noted(calloc(1, sizeof *made));
    if (made == NULL) {
        return CF_ENOMEM;
    }]] [[
    cf_stream *made = plat_noted(calloc(1, sizeof *made));]])

torture_planted(
  eventfds_left create_destroy/process_pool/ executors/process_pool.c "descriptors are left" [[
        process_pool_free(*executor);]] [[
        cfi_executor_free(*executor);]])

torture_planted(
  region_left create_destroy/ platform/region.c "bytes of mappings" [[
    if (region->file >= 0 && !map_file_over(region->base, size, region->file)) {
        munmap(region->base, size);]] [[
    if (region->file >= 0 && !map_file_over(region->base, size, region->file)) {]])

torture_planted(
  refusal_without_note submit_result/thread_pool/ platform/region.c "cf_refused_call says" [[
    if (!noted(mprotect(base + offset, length, PROT_READ | PROT_WRITE) == 0, "mprotect")) {]] [[
    if (mprotect(base + offset, length, PROT_READ | PROT_WRITE) != 0) {]])

torture_planted(
  fork_fails_once retries/process_pool/fork/nursery/ executors/nursery.c "did not end" [[
    bool looks = refused || state->stopped_ns != 0;]] [[
    bool looks = state->stopped_ns != 0;
    (void)refused;]])

# ---- soak ------------------------------------------------------------------------------------------

chaos_suite(soak soak.c soak_pools.c soak_samples.c soak_tasks.c)
target_link_libraries(chaos_soak PRIVATE ${with_openmp})

chaos_planted(soak callback_is_not_freed cfutures/waiting/callback.c "malloc grow" "    free(callback);" "")

chaos_planted(soak slab_is_not_used_again cfutures/queue/slab.c "(malloc|rss|pss) grow" [[
        give_block(slabs, cfi_slab_future(slab, i));
    }
    cfi_list_prepend(&slabs->free, &slab->link);]] [[
        give_block(slabs, cfi_slab_future(slab, i));
    }]])

chaos_planted(soak block_is_not_given_back cfutures/queue/slab.c "(rss|pss|workers) grow" [[
        cfi_arena_give(slabs->arena, place->block,
                       cfi_limit_size(place->kind) +
                           cfi_payload_size(place->arg_size, cfi_future_result_size(future)));]] [[
        (void)place;]])

chaos_planted(soak futures_stay_mapped cfutures/queue/slab.c "(mappings|addresses) grow"
                   "    plat_region_release(&slabs->futures);" "")

chaos_planted(soak table_stays_mapped cfutures/queue/slab.c "(mappings|addresses) grow"
                   "    plat_table_give(slabs->at, places_of(slabs) * sizeof *slabs->at);" "")

chaos_planted(soak descriptor_stays_open executors/process_pool.c "descriptors grow"
                   "sizeof files / sizeof *files; i++) {" "sizeof files / sizeof *files - 1; i++) {")

foreach(planted callback_is_not_freed slab_is_not_used_again block_is_not_given_back futures_stay_mapped
                table_stays_mapped descriptor_stays_open)
  target_link_libraries(chaos_planted_${planted} PRIVATE ${with_openmp})
endforeach()

# ---- programs --------------------------------------------------------------------------------------

add_dependencies(chaos programs)

# chaos_script(NAME FILE): a test that calls the programs.
function(chaos_script name file)
  primepool_test(chaos.${name} chaos 300 "${Python3_EXECUTABLE}" -B "${chaos}/${file}")
  set_property(TEST chaos.${name} APPEND PROPERTY ENVIRONMENT "PRIMEPOOL_BIN=$<TARGET_FILE_DIR:proc_pool>")
endfunction()

if(TARGET proc_pool AND TARGET primecheck)
  find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)
  chaos_script(programs programs.py)
  chaos_script(programs_can_fail programs_can_fail.py)
  if(PRIMEPOOL_NIGHTLY) # as the suite itself, of which preset dev has nothing
    set_property(TEST chaos.programs_can_fail APPEND PROPERTY LABELS nightly)
  endif()
endif()

# ---- groups ----------------------------------------------------------------------------------------

chaos_suite(groups groups.c group.c)
set_tests_properties(chaos.groups PROPERTIES SKIP_RETURN_CODE 77)

chaos_planted(groups killer_is_not_told cfutures/core/ending.c "lost=[1-9]"
              "exception->signal = plat_wait_status_signal(slot->detail);" "exception->signal = 0;")
