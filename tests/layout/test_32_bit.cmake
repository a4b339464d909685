# A configuration with 32-bit addresses fails with one message, which says why.
#
#   cmake -DROOT=<checkout> -DCOMPILER=<C compiler> -DWORK=<empty folder> -P test_32_bit.cmake
cmake_minimum_required(VERSION 3.25)

set(reason "primepool needs 64-bit addresses")
file(WRITE "${WORK}/32_bit.cmake" "set(CMAKE_SIZEOF_VOID_P 4)\n")

# What the compiler would say, if there are 32-bit libraries for it.
set(fake "-DCMAKE_PROJECT_primepool_INCLUDE=${WORK}/32_bit.cmake")

# environment: CC and CFLAGS.
function(configure flags environment result output)
  file(REMOVE_RECURSE "${WORK}/build")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env ${environment} "${CMAKE_COMMAND}" -S "${ROOT}" -B "${WORK}/build" ${flags}
            -DPRIMEPOOL_TESTS=OFF -DPRIMEPOOL_PROGRAMS=OFF -DPRIMEPOOL_OPENMP=OFF
    RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(${result} "${code}" PARENT_SCOPE)
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

function(check_refused flags environment)
  configure("${flags}" "${environment}" result output)
  string(REGEX MATCHALL "CMake Error" errors "${output}")
  list(LENGTH errors count)
  string(FIND "${output}" "${reason}" at)
  if(result EQUAL 0 OR at EQUAL -1 OR NOT count EQUAL 1)
    message(FATAL_ERROR "${flags} ${environment}: not refused, or not for that reason alone:\n${output}")
  endif()
endfunction()

function(check_accepted flags environment)
  configure("${flags}" "${environment}" result output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${flags} ${environment}: refused:\n${output}")
  endif()
endfunction()

set(plain "CC=${COMPILER};CFLAGS=")
check_refused("-DCMAKE_C_FLAGS=-O2 -m32" "${plain}")
check_refused("-DCMAKE_C_FLAGS=-mx32" "${plain}")
check_refused("" "CC=${COMPILER};CFLAGS=-m32 -g")
check_refused("" "CC=${COMPILER} -m32;CFLAGS=")
check_refused("${fake}" "${plain}")

check_accepted("-DCMAKE_C_FLAGS=-O2" "${plain}")
check_accepted("-DCMAKE_C_FLAGS=-O2;-DCMAKE_C_COMPILER=${COMPILER}" "CC=cc -m32;CFLAGS=-m32") # project() ignores these
