# Writes PRIME_NUMBERS as C:  cmake -DINPUT=numbers.txt -DOUTPUT=numbers.c -P generate_numbers.cmake
cmake_minimum_required(VERSION 3.25)

file(STRINGS "${INPUT}" lines REGEX "^[^#]*[^# \t]")
set(rows "")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^([0-9]+) +# (prime|composite)$")
    message(FATAL_ERROR "${INPUT}: not a number and its answer: ${line}")
  endif()
  set(number ${CMAKE_MATCH_1})
  if(CMAKE_MATCH_2 STREQUAL "prime")
    set(prime true)
  else()
    set(prime false)
  endif()
  string(APPEND rows "    {UINT64_C(${number}), ${prime}},\n")
endforeach()
if(rows STREQUAL "")
  message(FATAL_ERROR "${INPUT}: no numbers")
endif()

file(WRITE "${OUTPUT}" "/* Generated from data/numbers.txt. */
#include \"primes/primes.h\"

const prime_number PRIME_NUMBERS[] = {
${rows}};
const size_t PRIME_NUMBERS_COUNT = sizeof PRIME_NUMBERS / sizeof PRIME_NUMBERS[0];
")
