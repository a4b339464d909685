# What needs MPI. Not with sanitizers: the memory that Open MPI never frees is a leak to AddressSanitizer.
if(NOT TARGET cfutures::mpi OR PRIMEPOOL_SANITIZE)
  return()
endif()

# The contract suite, with contract/mpi/criterion/criterion.h instead of Criterion.
add_executable(contract_mpi ${contract_sources} contract/mpi/ranks.c contract/mpi/runner.c)
target_compile_definitions(contract_mpi PRIVATE TEST_MPI)
target_include_directories(contract_mpi BEFORE PRIVATE contract/mpi)
target_link_libraries(contract_mpi PRIVATE test_support cfutures::mpi ${with_openmp}
                                           primepool_warnings)
target_link_options(contract_mpi PRIVATE -Wl,--wrap=cf_executor_destroy)

# Open MPI is told in the environment what to allow (run.py), so that every MPI is called alike.
include(mpi/mpirun.cmake)
find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)

# mpi_contract_test(NAME LABEL RANKS FILTER...)
function(mpi_contract_test name label ranks)
  primepool_test(
    ${name}
    ${label}
    600
    Python3::Interpreter
    -B
    "${CMAKE_CURRENT_SOURCE_DIR}/contract/mpi/run.py"
    --mpiexec
    "${PRIMEPOOL_MPIRUN}"
    --ranks
    ${ranks}
    $<TARGET_FILE:contract_mpi>
    ${ARGN})
  set_property(TEST ${name} APPEND PROPERTY LABELS mpi)
  set_property(TEST ${name} PROPERTY RUN_SERIAL ON)
endfunction()

# What depends on how tasks travel, and on how workers begin, die and end. The rest, and a thread pool in each
# rank, nightly.
set(ranks_matter
    "bounded_maps/*"
    "callbacks_endings/*"
    "claimed/*"
    "deadlines_processes/*"
    "errors/*"
    "fork_join/*"
    "info/*"
    "invalid/*"
    "map_failures/*"
    "max_pending/*"
    "payloads/in*"
    "results/*"
    "shutdown/*"
    "stream/*of*"
    "stream_failures/*"
    "submit/*"
    "terminate*/*"
    "threads/*"
    "varied_endings/*"
    "worker_life*/*")
mpi_contract_test(contract.mpi_4 contract 4 ${ranks_matter})
if(PRIMEPOOL_NIGHTLY)
  foreach(ranks 1 2 4)
    mpi_contract_test(nightly.contract_mpi_${ranks} nightly ${ranks})
  endforeach()
  mpi_contract_test(nightly.contract_mpi_rank_0 nightly 3)
  set_property(TEST nightly.contract_mpi_rank_0 APPEND PROPERTY ENVIRONMENT CF_TEST_MPI_RANK_0=1)
endif()

# ---- parts of the executor, without a job ------------------------------------------------------------

foreach(number 1 2)
  foreach(id "" _without_id)
    add_library(module_${number}${id} MODULE mpi/module.c)
    target_compile_definitions(module_${number}${id} PRIVATE MODULE=${number})
    target_include_directories(module_${number}${id} PRIVATE "${PROJECT_SOURCE_DIR}/src/include")
    set_target_properties(module_${number}${id} PROPERTIES PREFIX "")
  endforeach()
  target_link_options(module_${number} PRIVATE LINKER:--build-id=sha1)
  target_link_options(module_${number}_without_id PRIVATE LINKER:--build-id=none)
endforeach()

criterion_program(test_mpi_code mpi/test_code.c "${PROJECT_SOURCE_DIR}/src/executors/mpi/code.c")
target_compile_definitions(test_mpi_code PRIVATE MODULES="${CMAKE_CURRENT_BINARY_DIR}")
target_link_libraries(test_mpi_code PRIVATE ${CMAKE_DL_LIBS})
add_dependencies(test_mpi_code module_1 module_2 module_1_without_id module_2_without_id)

criterion_program(test_mpi_message mpi/test_message.c "${PROJECT_SOURCE_DIR}/src/executors/mpi/link.c")
target_link_libraries(test_mpi_message PRIVATE MPI::MPI_C)

foreach(subject code message)
  target_include_directories(test_mpi_${subject} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  primepool_test(unit.mpi_${subject} unit 120 test_mpi_${subject} ${one_by_one})
  set_property(TEST unit.mpi_${subject} APPEND PROPERTY LABELS mpi)
endforeach()
