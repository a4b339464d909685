# What needs OpenMP: the executor's own tests, and regions inside the tasks of others.
if(NOT with_openmp)
  return()
endif()
find_package(OpenMP REQUIRED QUIET COMPONENTS C)

foreach(subject team regions surroundings)
  criterion_program(test_openmp_${subject} openmp/test_${subject}.c)
  target_link_libraries(test_openmp_${subject} PRIVATE cfutures::openmp OpenMP::OpenMP_C)
  primepool_test(openmp.${subject} openmp 300 test_openmp_${subject} ${one_by_one} --filter
                 ${subject}/*)
endforeach()

target_link_libraries(test_openmp_surroundings PRIVATE test_refuse)

# The executor's call of cf_core_functions comes to the test instead.
criterion_program(test_openmp_other_build openmp/test_other_build.c)
target_include_directories(test_openmp_other_build PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(test_openmp_other_build PRIVATE cfutures::openmp)
target_link_options(test_openmp_other_build PRIVATE -Wl,--wrap=cf_core_functions)
primepool_test(openmp.other_build openmp 120 test_openmp_other_build ${one_by_one})

# libgomp reads its variables when a program begins: each set of them is a test.
function(environment_test subject name)
  primepool_test(openmp.${name} openmp 120 test_openmp_${subject} ${one_by_one} --filter
                 environment/${name})
  set_property(TEST openmp.${name} APPEND PROPERTY ENVIRONMENT ${ARGN})
endfunction()
environment_test(team thread_limit OMP_THREAD_LIMIT=3)
environment_test(team thread_limit_of_one OMP_THREAD_LIMIT=1)
environment_test(team no_active_level OMP_MAX_ACTIVE_LEVELS=0)
environment_test(team num_threads OMP_NUM_THREADS=5 OMP_DYNAMIC=true)
environment_test(team two_levels OMP_MAX_ACTIVE_LEVELS=2)
environment_test(team bound OMP_PROC_BIND=true)
environment_test(team active_wait OMP_WAIT_POLICY=active)
environment_test(regions num_threads_given OMP_NUM_THREADS=3)
environment_test(surroundings stack_beyond_memory OMP_STACKSIZE=200000G)
environment_test(surroundings small_stack "OMP_STACKSIZE=256 k ")
environment_test(surroundings unreadable_values OMP_NUM_THREADS=0 OMP_THREAD_LIMIT=junk OMP_STACKSIZE=1
                 OMP_PLACES={9999} OMP_MAX_ACTIVE_LEVELS=-1 OMP_SCHEDULE=junk OMP_WAIT_POLICY=junk OMP_DYNAMIC=junk)
environment_test(surroundings bound_in_a_sandbox OMP_PROC_BIND=true)
