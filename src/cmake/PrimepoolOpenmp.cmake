# The executor on OpenMP: a library of its own, cfutures::openmp, where the compiler's OpenMP is GCC's
# libgomp. That gives its threads back when the thread that had them ends; LLVM's libomp, which clang
# uses, keeps them as long as the program lives, so that an executor could not say that its workers are
# gone. Where it is missing, or switched off by PRIMEPOOL_OPENMP=OFF, so is the executor and what uses it.
option(PRIMEPOOL_OPENMP "Build the executor on OpenMP where libgomp is found" ON)

if(PRIMEPOOL_OPENMP)
  find_package(OpenMP QUIET COMPONENTS C)
endif()
if(NOT PRIMEPOOL_OPENMP OR NOT OpenMP_C_FOUND OR NOT "gomp" IN_LIST OpenMP_C_LIB_NAMES)
  message(STATUS "Without libgomp")
  return()
endif()

add_library(cfutures_openmp executors/openmp.c)
add_library(cfutures::openmp ALIAS cfutures_openmp)
target_compile_definitions(cfutures_openmp INTERFACE $<BUILD_INTERFACE:PRIMEPOOL_HAVE_OPENMP>)
target_include_directories(cfutures_openmp PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
# It calls the core through the table of executors/core_functions.h: libcfutures exports names that begin
# with cf_ only. The table has a version, since the two must be of one build.
target_link_libraries(
  cfutures_openmp
  PUBLIC cfutures
  PRIVATE OpenMP::OpenMP_C $<BUILD_INTERFACE:primepool_warnings>)
target_link_options(
  cfutures_openmp PRIVATE
  $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>:LINKER:-z,nodelete>) # as libcfutures
set_target_properties(
  cfutures_openmp
  PROPERTIES C_VISIBILITY_PRESET hidden
             EXPORT_NAME openmp
             INSTALL_RPATH "$ORIGIN"
             VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR})
