# Which vector kernels this build has. A file of one is compiled for its instructions, which the rest
# of the program must not use: what may run is asked at run time.
#
# PRIMEPOOL_KERNELS: those of avx2 and avx512 that the compiler knows
# primepool_kernel_sources(TARGET NAME...): adds the files NAME_KERNEL.c
include(CheckCSourceCompiles)

set(avx2_options -mavx2)
set(avx2_probe "__m256i f(__m256i a) { return _mm256_mul_epu32(a, a); }")
set(avx512_options -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512ifma)
set(avx512_probe "__m512i f(__m512i a) { return _mm512_madd52lo_epu64(a, a, a); }")

set(PRIMEPOOL_KERNELS "")
foreach(kernel avx2 avx512)
  string(TOUPPER ${kernel} upper)
  set(CMAKE_REQUIRED_FLAGS "${${kernel}_options}")
  string(REPLACE ";" " " CMAKE_REQUIRED_FLAGS "${CMAKE_REQUIRED_FLAGS}")
  check_c_source_compiles(
    "#ifndef __x86_64__
     #error
     #endif
     #include <immintrin.h>
     ${${kernel}_probe}
     int main(void) { return 0; }"
    PRIMES_HAVE_${upper})
  unset(CMAKE_REQUIRED_FLAGS)
  if(PRIMES_HAVE_${upper})
    list(APPEND PRIMEPOOL_KERNELS ${kernel})
  endif()
endforeach()

function(primepool_kernel_sources target)
  foreach(kernel IN LISTS PRIMEPOOL_KERNELS)
    string(TOUPPER ${kernel} upper)
    target_compile_definitions(${target} PUBLIC PRIMES_HAVE_${upper})
    foreach(name IN LISTS ARGN)
      target_sources(${target} PRIVATE ${name}_${kernel}.c)
      set_source_files_properties(${name}_${kernel}.c PROPERTIES COMPILE_OPTIONS
                                                                 "${${kernel}_options}")
    endforeach()
  endforeach()
endfunction()
