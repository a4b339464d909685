# The executor on MPI in whole jobs: mpirun, its ranks, and their deaths. Where MPI is not found, there is nothing
# to test.
if(NOT TARGET cfutures::mpi OR CMAKE_CROSSCOMPILING)
  return()
endif()

find_package(MPI 3.0 REQUIRED COMPONENTS C) # targets are of one directory
set(mpi "${CMAKE_CURRENT_LIST_DIR}")
# mpi_job_other is the same program in another build: ranks refuse it.
foreach(program mpi_job mpi_job_other)
  add_executable(
    ${program} "${mpi}/cases_create.c" "${mpi}/cases_life.c" "${mpi}/cases_tasks.c"
               "${mpi}/cases_work.c" "${mpi}/job.c")
  target_link_libraries(${program} PRIVATE test_support cfutures::mpi MPI::MPI_C ${CMAKE_DL_LIBS}
                                           primepool_warnings)
endforeach()
target_compile_definitions(mpi_job_other PRIVATE "OTHER_BUILD=1")
add_library(mpi_foreign MODULE "${mpi}/foreign.c")
target_link_libraries(mpi_foreign PRIVATE cfutures::cfutures primepool_warnings)

include("${mpi}/mpirun.cmake")

# With sanitizers only what needs no look at processes. MPI itself is not made for them: what it leaks, and what
# ThreadSanitizer finds between functions that it has not compiled, is left out.
if(PRIMEPOOL_SANITIZE)
  foreach(options "rank_0=1" "threads=1 workers=2 rank_0=1")
    string(MAKE_C_IDENTIFIER "${options}" name)
    separate_arguments(options)
    primepool_test(mpi.work_${name} mpi 120 "${PRIMEPOOL_MPIRUN}" -n 3 $<TARGET_FILE:mpi_job> work count=5000
                   map=5000 ${options})
    set_property(
      TEST mpi.work_${name} APPEND
      PROPERTY ENVIRONMENT OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
               OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
               TSAN_OPTIONS=ignore_noninstrumented_modules=1
               ASAN_OPTIONS=detect_leaks=0)
  endforeach()
  return()
endif()

# mpi_test(SUBJECT): test_SUBJECT.py. Nightly it has more cases.
set(mpi_timeout 240)
if(PRIMEPOOL_NIGHTLY)
  set(mpi_timeout 7200)
endif()
function(mpi_test subject)
  primepool_test(mpi.${subject} mpi ${mpi_timeout} "${Python3_EXECUTABLE}" -B "${mpi}/test_${subject}.py")
  set_property(
    TEST mpi.${subject} APPEND
    PROPERTY ENVIRONMENT "PRIMEPOOL_BIN=$<TARGET_FILE_DIR:mpi_pool>" "PRIMEPOOL_MPIRUN=${PRIMEPOOL_MPIRUN}"
             "PRIMEPOOL_COMMANDS=${PROJECT_BINARY_DIR}/commands/mpi.${subject}"
             OMPI_MCA_btl_vader_single_copy_mechanism=none # a container may forbid the other ones, and it warns
             "PRIMEPOOL_MPI_TESTS=$<TARGET_FILE_DIR:mpi_job>" "PRIMEPOOL_MPI_FOREIGN=$<TARGET_FILE:mpi_foreign>")
  if(PRIMEPOOL_NIGHTLY)
    set_property(TEST mpi.${subject} PROPERTY LABELS mpi nightly)
    set_property(TEST mpi.${subject} APPEND PROPERTY ENVIRONMENT PRIMEPOOL_NIGHTLY=1)
  endif()
  set_property(GLOBAL APPEND PROPERTY primepool_recording_tests mpi.${subject})
endfunction()

foreach(subject create ends idle kills life lost numbers stopped tasks)
  mpi_test(${subject})
endforeach()
if(PRIMEPOOL_NIGHTLY)
  mpi_test(network)
endif()
set_property(TEST mpi.idle PROPERTY RUN_SERIAL ON) # it measures processor time
