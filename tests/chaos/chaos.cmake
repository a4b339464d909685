# The suites that break pools on purpose: README.md, "Chaos". Included by CMakeLists.txt, as `tests` shall
# build them.

set(chaos "${CMAKE_CURRENT_SOURCE_DIR}/chaos")
add_custom_target(chaos)

get_target_property(chaos_core_sources cfutures SOURCES)
list(TRANSFORM chaos_core_sources PREPEND "${PROJECT_SOURCE_DIR}/src/")

# The library with fault points. Objects, so that a program gets nothing of the library without them.
set(with_fault_points ${chaos_core_sources})
if(NOT PRIMEPOOL_FAULT_POINTS)
  list(APPEND with_fault_points "${PROJECT_SOURCE_DIR}/src/platform/fault.c"
              "${PROJECT_SOURCE_DIR}/src/platform/fault_plan.c")
endif()
add_library(chaos_fault_points OBJECT ${with_fault_points})
target_compile_definitions(chaos_fault_points PRIVATE CFI_FAULT_POINTS=)
target_include_directories(chaos_fault_points PRIVATE "${PROJECT_SOURCE_DIR}/src"
                                                      "${PROJECT_SOURCE_DIR}/src/include")
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
# EXPECTED.
function(chaos_planted suite name file expected original replacement)
  set(target chaos_planted_${name})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/planted/${name}")
  set(input "${PROJECT_SOURCE_DIR}/src/${file}")
  explorer_replace("${input}" "${folder}/${file}" "${original}" "${replacement}")
  if(file MATCHES "\\.h$")
    set(sources ${chaos_core_sources})
  else()
    set(sources "${folder}/${file}")
  endif()
  add_custom_target(${target}_source DEPENDS "${folder}/${file}")
  add_library(${target}_core OBJECT ${sources})
  add_dependencies(${target}_core ${target}_source)
  target_include_directories(${target}_core PRIVATE "${folder}" "${PROJECT_SOURCE_DIR}/src"
                                                    "${PROJECT_SOURCE_DIR}/src/include")
  get_target_property(definitions chaos_${suite} COMPILE_DEFINITIONS)
  add_executable(${target} ${chaos_${suite}_sources})
  if(definitions)
    target_compile_definitions(${target} PRIVATE ${definitions})
  endif()
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  # Its objects come before the library, of which the linker then does not take the original.
  target_link_libraries(${target} PRIVATE ${target}_core test_support primepool_warnings)
  primepool_test(chaos.planted.${name} chaos 300 ${target})
  set_tests_properties(chaos.planted.${name} PROPERTIES PASS_REGULAR_EXPRESSION "${expected}"
                                                        FAIL_REGULAR_EXPRESSION "")
endfunction()

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
  set_property(TEST chaos.planted.torture_${name} APPEND PROPERTY ENVIRONMENT "CF_TORTURE=${cases}")
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
  fork_fails_once retries/process_pool/fork/nursery/2/once/EAGAIN/used/2 executors/nursery.c "did not end" [[
    bool looks = refused || state->stopped_ns != 0;]] [[
    bool looks = state->stopped_ns != 0;
    (void)refused;]])
