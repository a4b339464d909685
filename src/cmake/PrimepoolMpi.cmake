# The executor on MPI: a library of its own, cfutures::mpi, where MPI is found (Open MPI, MPICH). Another MPI
# than the default: -DMPI_C_COMPILER=mpicc.mpich. Where it is missing, or switched off by PRIMEPOOL_MPI=OFF, so
# is the executor and what uses it.
option(PRIMEPOOL_MPI "Build the executor on MPI where it is found" ON)

if(PRIMEPOOL_MPI)
  find_package(MPI 3.0 QUIET COMPONENTS C)
endif()
if(NOT PRIMEPOOL_MPI OR NOT MPI_C_FOUND)
  message(STATUS "Without MPI")
  return()
endif()

add_library(
  cfutures_mpi
  executors/mpi/answers.c executors/mpi/code.c executors/mpi/deal.c executors/mpi/executor.c
  executors/mpi/job.c executors/mpi/link.c executors/mpi/manager.c executors/mpi/parent.c
  executors/mpi/place.c executors/mpi/ranks.c executors/mpi/serve.c executors/mpi/station.c)
if(PRIMEPOOL_ASSERT)
  target_sources(cfutures_mpi PRIVATE platform/assert.c)
endif()
add_library(cfutures::mpi ALIAS cfutures_mpi)
target_compile_definitions(cfutures_mpi INTERFACE $<BUILD_INTERFACE:PRIMEPOOL_HAVE_MPI>)
target_include_directories(cfutures_mpi PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
# It calls the core through the table of executors/core_functions.h, as cfutures_openmp does.
target_link_libraries(
  cfutures_mpi
  PUBLIC cfutures
  PRIVATE MPI::MPI_C ${CMAKE_DL_LIBS} $<BUILD_INTERFACE:primepool_warnings>)
target_link_options(
  cfutures_mpi PRIVATE
  $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>:LINKER:-z,nodelete>) # as libcfutures
set_target_properties(
  cfutures_mpi
  PROPERTIES C_VISIBILITY_PRESET hidden
             EXPORT_NAME mpi
             INSTALL_RPATH "$ORIGIN"
             INSTALL_RPATH_USE_LINK_PATH ON # clusters have their MPI where the loader does not look
             VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR})
