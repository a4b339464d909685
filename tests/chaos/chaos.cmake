# The suites that break pools on purpose: README.md, "Chaos". Included by CMakeLists.txt, as `tests` shall
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
              "${PROJECT_SOURCE_DIR}/src/platform/fault_plan.c")
endif()
set(chaos_tuning "${CMAKE_CURRENT_BINARY_DIR}/chaos_tuning")
explorer_replace("${PROJECT_SOURCE_DIR}/src/cfutures/queue/tuning.h" "${chaos_tuning}/cfutures/queue/tuning.h"
                 "CFI_DAMAGE_LOOK_NS = 1000000000," "CFI_DAMAGE_LOOK_NS = 0,")
add_custom_target(chaos_tuning DEPENDS "${chaos_tuning}/cfutures/queue/tuning.h")

function(chaos_with_fault_points target)
  target_compile_definitions(${target} PRIVATE CFI_FAULT_POINTS=)
  target_include_directories(${target} PRIVATE "${chaos_tuning}" "${PROJECT_SOURCE_DIR}/src"
                                               "${PROJECT_SOURCE_DIR}/src/include")
  add_dependencies(${target} chaos_tuning)
endfunction()
add_library(chaos_fault_points OBJECT ${with_fault_points})
chaos_with_fault_points(chaos_fault_points)
target_link_libraries(chaos_fault_points PRIVATE primepool_warnings)

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
  set(rest "")
  if(suite STREQUAL "points") # the objects with fault points, but this one
    set(sources "${folder}/${file}")
    set(rest "$<FILTER:$<TARGET_OBJECTS:chaos_fault_points>,EXCLUDE,/${file}\\.o$>")
  elseif(file MATCHES "\\.h$")
    set(sources ${chaos_core_sources})
  else()
    set(sources "${folder}/${file}")
  endif()
  add_custom_target(${target}_source DEPENDS "${folder}/${file}")
  add_library(${target}_core OBJECT ${sources})
  if(suite STREQUAL "points")
    chaos_with_fault_points(${target}_core)
  endif()
  add_dependencies(${target}_core ${target}_source)
  target_include_directories(${target}_core PRIVATE "${folder}" "${PROJECT_SOURCE_DIR}/src"
                                                    "${PROJECT_SOURCE_DIR}/src/include")
  get_target_property(definitions chaos_${suite} COMPILE_DEFINITIONS)
  add_executable(${target} ${chaos_${suite}_sources} ${rest})
  if(NOT PRIMEPOOL_NIGHTLY)
    set_target_properties(${target} ${target}_core PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  if(definitions)
    target_compile_definitions(${target} PRIVATE ${definitions})
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

chaos_planted(points death_does_not_rewind cfutures/worker_death.c "(lost|hung)=[1-9]" [[
    if (cfi_word_phase(plat_load_acquire(&cfi_slot_of(future)->word)) == CFI_PENDING) {
        cfi_queue_rewind]] [[
    if (executor == NULL) {
        cfi_queue_rewind]])

chaos_planted(points death_is_a_success cfutures/worker_death.c "lost=[1-9]"
              "settle_as_lost(executor, future, worker, CF_EWORKER, wait_status);"
              "run_again(executor, future, worker);")

chaos_planted(points death_leaves_waiters_asleep cfutures/worker_death.c "hung=[1-9]" [[
    plat_futex_wake_all(&cfi_slot_of(future)->futex,
                        queue->shared); /* it may have died before it woke them */]] "")

chaos_planted(points pool_leaves_descriptors executors/process_pool.c "leaked=[1-9]"
              "    close_files((process_pool *)executor);" "    (void)close_files;")

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

chaos_planted(soak descriptor_stays_open executors/process_pool.c "descriptors grow"
                   "sizeof files / sizeof *files; i++) {" "sizeof files / sizeof *files - 1; i++) {")

foreach(planted callback_is_not_freed slab_is_not_used_again block_is_not_given_back futures_stay_mapped
                descriptor_stays_open)
  target_link_libraries(chaos_planted_${planted} PRIVATE ${with_openmp})
endforeach()

# ---- programs --------------------------------------------------------------------------------------

# chaos_script(NAME FILE): a test that calls the programs.
function(chaos_script name file)
  primepool_test(chaos.${name} chaos 300 "${Python3_EXECUTABLE}" -B "${chaos}/${file}")
  set_property(TEST chaos.${name} APPEND PROPERTY ENVIRONMENT "PRIMEPOOL_BIN=$<TARGET_FILE_DIR:proc_pool>")
endfunction()

if(TARGET proc_pool AND TARGET primecheck)
  find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)
  chaos_script(programs programs.py)
  chaos_script(programs_can_fail programs_can_fail.py)
endif()

# ---- groups ----------------------------------------------------------------------------------------

chaos_suite(groups groups.c group.c)
set_tests_properties(chaos.groups PROPERTIES SKIP_RETURN_CODE 77)

chaos_planted(groups killer_is_not_told cfutures/core/ending.c "lost=[1-9]"
              "exception->signal = plat_wait_status_signal(slot->detail);" "exception->signal = 0;")
