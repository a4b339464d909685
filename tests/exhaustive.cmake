# The long checks of the primality tests: a small part of each with every run (label unit), all of it
# with -DPRIMEPOOL_NIGHTLY=ON (label nightly). Included by CMakeLists.txt, as `tests` shall build them.
option(PRIMEPOOL_NIGHTLY "Register the tests that take up to hours" OFF)
include(PrimepoolLibraries)

add_library(exhaustive STATIC exhaustive/answers.c exhaustive/blocks.c exhaustive/sieve.c
                              unit/prime_oracle.c)
target_link_libraries(exhaustive PUBLIC primes test_support PRIVATE primepool_warnings)

function(exhaustive_program name source)
  add_executable(${name} exhaustive/${source})
  target_link_libraries(${name} PRIVATE exhaustive primepool_warnings)
endfunction()
exhaustive_program(verify_bpsw verify_bpsw.c)
exhaustive_program(prime_count prime_count.c)
exhaustive_program(oracle_run oracle_run.c)
exhaustive_program(oracle_run_bases oracle_run.c) # always without FLINT
if(TARGET flint)
  target_compile_definitions(oracle_run PRIVATE HAVE_FLINT)
  target_link_libraries(oracle_run PRIVATE flint)
endif()
if(TARGET primesieve)
  target_compile_definitions(prime_count PRIVATE HAVE_PRIMESIEVE)
  target_link_libraries(prime_count PRIVATE primesieve)
endif()

set(listed "${PROJECT_SOURCE_DIR}/data/strong_pseudoprimes_32.txt")
primepool_test(unit.verify_bpsw_part unit 120 verify_bpsw compare "${listed}"
               0 3000000 4294000000 4294967296)
primepool_test(unit.prime_count unit 120 prime_count 8)
primepool_test(unit.oracle_run unit 120 oracle_run 1000000)
primepool_test(unit.oracle_run_bases unit 120 oracle_run_bases 1000000)

if(PRIMEPOOL_NIGHTLY)
  primepool_test(nightly.verify_bpsw_32 nightly 7200 verify_bpsw compare "${listed}")
  primepool_test(nightly.prime_count nightly 7200 prime_count 10 windows)
  primepool_test(nightly.oracle_run nightly 21600 oracle_run 1000000000)
  primepool_test(nightly.oracle_run_bases nightly 21600 oracle_run_bases 1000000000)
endif()
