# The interleaving explorer: explorer/explorer.h. Included by CMakeLists.txt, as `tests` shall build it.
#
# Not under sanitizers: its threads are coroutines that share one real thread, whose stacks neither
# AddressSanitizer nor ThreadSanitizer follows through longjmp.

set(explorer "${CMAKE_CURRENT_SOURCE_DIR}/explorer")
set(explorer_build "${CMAKE_CURRENT_BINARY_DIR}/explored") # `explorer` is the program

# explorer_replace(INPUT OUTPUT ORIGINAL REPLACEMENT): OUTPUT is made of INPUT when it is built, and
# the build fails unless ORIGINAL stands there exactly once.
function(explorer_replace input output original replacement)
  file(CONFIGURE OUTPUT "${output}.cmake" CONTENT "set(input [==[${input}]==])\nset(output [==[${output}]==])
set(original [==[${original}]==])\nset(replacement [==[${replacement}]==])\n" @ONLY)
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" "-DCHANGE=${output}.cmake" -P "${explorer}/replace.cmake"
    DEPENDS "${input}" "${output}.cmake" "${explorer}/replace.cmake"
    VERBATIM)
endfunction()

# Numbers that are made small, so that what they lead to happens within a few tasks: slabs are used up
# and recycled, several tasks are claimed at once, a search for work ends, a lock has an owner.
#
# explorer_shrink(FILE "NAME = NUMBER,"...): sets explorer_shrunk to what FILE (of src) becomes.
function(explorer_shrink file)
  set(input "${PROJECT_SOURCE_DIR}/src/${file}")
  list(LENGTH ARGN left)
  foreach(small IN LISTS ARGN)
    math(EXPR left "${left} - 1")
    set(output "${explorer_build}/small/${file}")
    if(left GREATER 0)
      set(output "${output}.${left}")
    endif()
    string(REGEX REPLACE " = [0-9]+,$" "" name "${small}")
    file(STRINGS "${PROJECT_SOURCE_DIR}/src/${file}" line REGEX "^ *${name} = [0-9]+,")
    string(REGEX MATCH "${name} = [0-9]+," original "${line}")
    explorer_replace("${input}" "${output}" "${original}" "${small}")
    set(input "${output}")
  endforeach()
  set(explorer_shrunk "${input}" PARENT_SCOPE)
  set(explorer_small ${explorer_small} "${file}" PARENT_SCOPE)
endfunction()

set(explorer_headers "")
explorer_shrink(cfutures/queue/queue.h "CFI_SLAB_SLOTS = 4,")
list(APPEND explorer_headers "${explorer_shrunk}")
explorer_shrink(cfutures/queue/tuning.h "CFI_CLAIM_DIVISOR = 1," "CFI_CLAIMS_A_TURN = 2," "CFI_SEARCH_SPINS = 1,"
                "CFI_WAIT_SPINS = 1," "CFI_TAKE_BACK_NS = 2,"
                "CFI_DAMAGE_LOOK_NS = 0,") # a look would hide a lost wake-up
list(APPEND explorer_headers "${explorer_shrunk}")
explorer_shrink(cfutures/queue/program_time.h "CFI_LOOK_MS = 4000,") # made long: most limits are shorter
list(APPEND explorer_headers "${explorer_shrunk}")
explorer_shrink(platform/biased_lock.c "NEEDED_FIRST = 1,")
set(explorer_biased_lock "${explorer_shrunk}")
add_custom_target(explorer_headers DEPENDS ${explorer_headers})

# Always optimised: it counts in millions of runs.
function(explorer_options target)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE= CFI_ASSERTIONS=) # also in a release build
  target_compile_options(${target} PRIVATE -O2)
  target_include_directories(
    ${target} PRIVATE ${ARGN} "${explorer_build}/small" "${explorer}/include" "${explorer}"
                      "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/src/include")
  add_dependencies(${target} explorer_headers)
endfunction()

# The core, whose warnings are its own library's matter.
function(explorer_core target)
  explorer_options(${target} ${ARGN})
  target_compile_options(${target} PRIVATE -include "${explorer}/include/core.h")
endfunction()

file(GLOB_RECURSE explorer_core_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/cfutures/*.c")
foreach(source executors/process_pool executors/serial executors/thread_worker platform/cpu_limits
               platform/refusal)
  list(APPEND explorer_core_sources "${PROJECT_SOURCE_DIR}/src/${source}.c")
endforeach()
list(APPEND explorer_core_sources "${explorer_biased_lock}")
add_library(explorer_core STATIC ${explorer_core_sources})
explorer_core(explorer_core)

add_library(explorer_engine OBJECT explorer/heap.c explorer/main.c explorer/memory.c explorer/search.c
                                   explorer/threads.c)
explorer_options(explorer_engine)
target_link_libraries(explorer_engine PRIVATE primepool_warnings)

# With inline functions of the core in them.
set(explorer_scenario_sources
    explorer/items.c
    explorer/pool.c
    explorer/processes.c
    explorer/scenarios.c
    explorer/scenarios_callback.c
    explorer/scenarios_chunk.c
    explorer/scenarios_death.c
    explorer/scenarios_deadline.c
    explorer/scenarios_fork.c
    explorer/scenarios_future.c
    explorer/scenarios_group.c
    explorer/scenarios_lock.c
    explorer/scenarios_nested.c
    explorer/scenarios_observer.c
    explorer/scenarios_process.c
    explorer/scenarios_queue.c
    explorer/scenarios_remote.c
    explorer/scenarios_room.c
    explorer/scenarios_serial.c
    explorer/scenarios_shutdown.c
    explorer/scenarios_slab.c
    explorer/scenarios_stream.c
    explorer/scenarios_watch.c)
add_library(explorer_scenarios OBJECT ${explorer_scenario_sources})
explorer_core(explorer_scenarios)
target_link_libraries(explorer_scenarios PRIVATE primepool_warnings)

add_executable(explorer)
target_link_libraries(explorer PRIVATE explorer_engine explorer_scenarios explorer_core)
# Half of the scenarios have more runs; nightly.explorer makes them.
primepool_test(unit.explorer unit 900 explorer --runs 30000)
set_tests_properties(unit.explorer PROPERTIES COST 90)

# Proof that it can fail: each planted bug must be found. Half of a build of the tests would go into these
# copies of the core, so they are nightly. Every build makes their sources, and fails if a bug's text is gone.
option(PRIMEPOOL_PLANTED_BUGS "Build the explorer with each planted bug, and test that it is found"
       ${PRIMEPOOL_NIGHTLY})
set(explorer_planted_label unit)
if(PRIMEPOOL_NIGHTLY)
  set(explorer_planted_label nightly)
endif()

# explorer_mutant(NAME FILE SCENARIO ORIGINAL REPLACEMENT): FILE (a source of src) with ORIGINAL, which
# stands there once, replaced. It goes before the library, of which the linker then does not take the
# original.
function(explorer_mutant name file scenario original replacement)
  set(target explorer_mutant_${name})
  set(input "${PROJECT_SOURCE_DIR}/src/${file}")
  if(file IN_LIST explorer_small)
    set(input "${explorer_build}/small/${file}")
  endif()
  set(mutated "${explorer_build}/${name}/${file}")
  explorer_replace("${input}" "${mutated}" "${original}" "${replacement}")
  file(GLOB_RECURSE stale "${explorer_build}/${name}/*.[ch]") # of when the bug lay in another file
  list(REMOVE_ITEM stale "${mutated}")
  if(stale)
    file(REMOVE ${stale})
  endif()
  set_property(GLOBAL APPEND PROPERTY explorer_mutated "${mutated}")
  if(NOT PRIMEPOOL_PLANTED_BUGS)
    return()
  endif()
  add_library(${target}_source OBJECT "${mutated}")
  explorer_core(${target}_source)
  add_executable(${target})
  target_link_libraries(${target} PRIVATE explorer_engine explorer_scenarios ${target}_source explorer_core)
  primepool_test(${explorer_planted_label}.${target} ${explorer_planted_label} 120 ${target} --must-fail 1
                 --lines 20 ${scenario})
endfunction()

# explorer_planted(NAME HEADER SCENARIO ORIGINAL REPLACEMENT): the same in a header. A header compiles all
# again, so one program has the bugs of all headers: each where REPLACEMENT says PLANTED(NAME), which the
# program's option --planted makes true.
function(explorer_planted name file scenario original replacement)
  get_property(steps GLOBAL PROPERTY explorer_planted_${file})
  if(steps)
    set(input "${explorer_build}/planted/${file}.${steps}")
  else()
    set(steps 0)
    set(input "${PROJECT_SOURCE_DIR}/src/${file}")
    set_property(GLOBAL APPEND PROPERTY explorer_planted_headers "${file}")
  endif()
  math(EXPR steps "${steps} + 1")
  set_property(GLOBAL PROPERTY explorer_planted_${file} ${steps})
  explorer_replace("${input}" "${explorer_build}/planted/${file}.${steps}" "${original}" "${replacement}")
  explorer_planted_test(${name} ${name} "${scenario}")
endfunction()

# explorer_planted_test(TEST NAME SCENARIO): the bug NAME, found in SCENARIO.
function(explorer_planted_test test name scenario)
  if(PRIMEPOOL_PLANTED_BUGS)
    primepool_test(${explorer_planted_label}.explorer_mutant_${test} ${explorer_planted_label} 120 explorer_planted
                   --planted ${name} --must-fail 1 --lines 20 ${scenario})
  endif()
endfunction()

function(explorer_planted_program)
  get_property(headers GLOBAL PROPERTY explorer_planted_headers)
  set(planted "")
  foreach(file IN LISTS headers)
    get_property(steps GLOBAL PROPERTY explorer_planted_${file})
    set(output "${explorer_build}/planted/${file}")
    add_custom_command(
      OUTPUT "${output}"
      COMMAND "${CMAKE_COMMAND}" -E copy "${output}.${steps}" "${output}"
      DEPENDS "${output}.${steps}"
      VERBATIM)
    list(APPEND planted "${output}")
  endforeach()
  add_custom_target(explorer_planted_headers ALL DEPENDS ${planted})
  if(NOT PRIMEPOOL_PLANTED_BUGS)
    return()
  endif()
  add_library(explorer_planted_core OBJECT ${explorer_core_sources} ${explorer_scenario_sources})
  explorer_core(explorer_planted_core "${explorer_build}/planted")
  add_dependencies(explorer_planted_core explorer_planted_headers)
  add_executable(explorer_planted)
  target_link_libraries(explorer_planted PRIVATE explorer_engine explorer_planted_core)
endfunction()

include(explorer/mutants.cmake)
explorer_planted_program()
get_property(explorer_mutated GLOBAL PROPERTY explorer_mutated)
add_custom_target(explorer_mutated ALL DEPENDS ${explorer_mutated})

if(PRIMEPOOL_NIGHTLY)
  primepool_test(nightly.explorer nightly 21600 explorer --bound 4 --seconds 100)
endif()
