# What newcomers look at first: the programs of src/examples, and the work of two demonstrations.

# They are in no default build of their own; the tests need them.
add_custom_target(example_programs ALL DEPENDS examples)

# example_test(NAME EXAMPLE LAST_LINE [ARG...]): the last line is printed when all went well, and
# counts what came before.
function(example_test name example last_line)
  primepool_test(unit.example_${name} unit 60 example_${example} ${ARGN})
  set_tests_properties(unit.example_${name} PROPERTIES PASS_REGULAR_EXPRESSION "${last_line}\n$")
endfunction()

example_test(
  submit_result submit_result
  "^quotient: 3\\.14159\nno quotient: error: Numerical argument out of domain")
example_test(as_completed_progress as_completed_progress
             "8 of 8: up to [0-9]+ the longest way has [0-9]+ steps")
example_test(
  crash_isolation crash_isolation
  "^steady: done, attempt 1\nunlucky: done, attempt 2\nhopeless: killed by signal 11 \\(SIGSEGV\\)\n\
unforgiven: killed by signal 11 \\(SIGSEGV\\)\n5 crashes, each followed by a retry or a failure")
set(lines_file "${CMAKE_CURRENT_BINARY_DIR}/lines.txt")
string(REPEAT "one two  three\n\n four\tfive \n" 1000 lines)
file(CONFIGURE OUTPUT lines.txt CONTENT "${lines}" @ONLY)
foreach(workers threads processes)
  example_test(stream_lines_${workers} stream_lines "3000 lines, 5000 words, 0 failed" ${workers}
               "${lines_file}")
endforeach()

# map_lines: a plain file with both, then one with the two lines that make trouble, given to processes
foreach(workers threads processes)
  example_test(map_lines_${workers} map_lines "\n3000: 8 9" ${workers} "${lines_file}")
endforeach()
file(CONFIGURE OUTPUT trouble.txt CONTENT "one\nhang\ntwo\ncrash\nthree\n" @ONLY)
example_test(
  map_lines_trouble map_lines
  "^1: 3 3\n2: timed out after 2s\n3: 3 3\n4: killed by signal 6 \\(SIGABRT\\)\n5: 5 4" processes
  "${CMAKE_CURRENT_BINARY_DIR}/trouble.txt")

example_test(worker_local worker_local
             "request 6 was number 3 of its connection\n\
request 7 was number 1 of its connection\n7 requests, 3 connections")

example_test(merge_sort merge_sort "^1000000 numbers are sorted, 0 are in the wrong place")
example_test(tree_sum tree_sum "^100000 nodes: the sum is 214618785768912, expected was 214618785768912")

example_test(monte_carlo monte_carlo "^success: pi is about 3.14[12]")

# A test vector of FNV's authors.
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/hash_tree/folder/foobar" "foobar")
example_test(hash_tree hash_tree "^85944171f73967e8  [^\n]*/folder/foobar" "${CMAKE_CURRENT_BINARY_DIR}/hash_tree")

example_test(survives_crashes_without survives_crashes "this library has no fault points")
if(TARGET chaos_fault_points)
  add_executable(example_with_fault_points "${PROJECT_SOURCE_DIR}/src/examples/survives_crashes.c")
  target_link_libraries(example_with_fault_points PRIVATE chaos_fault_points cfutures::cfutures)
  primepool_test(unit.example_survives_crashes unit 60 example_with_fault_points)
  set_tests_properties(unit.example_survives_crashes
                       PROPERTIES PASS_REGULAR_EXPRESSION "all 1000 squares are right, some workers died\n$")
endif()

criterion_program(test_quicksort unit/test_quicksort.c)
target_link_libraries(test_quicksort PRIVATE demo)
primepool_test(unit.quicksort unit 120 test_quicksort ${one_by_one})
