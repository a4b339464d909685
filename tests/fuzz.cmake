# The fuzzer of what primecheck reads. Included by CMakeLists.txt, as `tests` shall build it.
#
# Everywhere: its corpus, and random changes of it, as a plain program. With clang and PRIMEPOOL_FUZZ:
# libFuzzer's.
option(PRIMEPOOL_FUZZ "Build the fuzzer (needs clang and its runtime library)" OFF)

set(fuzz_corpus "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus")
add_executable(fuzz_replay fuzz/fuzz_primecheck.c fuzz/replay.c unit/slow_tokens.c)
target_link_libraries(fuzz_replay PRIVATE primecheck_base test_support primepool_warnings)
if(TARGET gmp) # for it knows what is right above 2^64 too
  primepool_test(unit.fuzz_corpus unit 120 fuzz_replay "${fuzz_corpus}" 8000)
endif()

if(PRIMEPOOL_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "PRIMEPOOL_FUZZ needs clang: CMAKE_C_COMPILER=clang")
  endif()
  add_executable(fuzz_primecheck fuzz/fuzz_primecheck.c unit/slow_tokens.c)
  target_compile_options(fuzz_primecheck PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_primecheck PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_primecheck PRIVATE primecheck_base test_support primepool_warnings)
endif()
