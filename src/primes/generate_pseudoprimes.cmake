# Writes the strong pseudoprimes to base 2 below 2^32 as C:
#
#   cmake -DINPUT=strong_pseudoprimes_32.txt -DOUTPUT=pseudoprimes.c -P generate_pseudoprimes.cmake
#
# and a bit for each value of a hash of theirs, so that most numbers need no search. The hash is
# pseudoprimes.h's.
cmake_minimum_required(VERSION 3.25)

file(STRINGS "${INPUT}" lines REGEX "^[^#]")
set(rows "")
set(count 0)
foreach(n IN LISTS lines)
  if(NOT n MATCHES "^[0-9]+$")
    message(FATAL_ERROR "${INPUT}: not a number: ${n}")
  endif()
  math(EXPR hash "((${n} * 2654435769) & 0xffffffff) >> 16")
  math(EXPR word "${hash} >> 5")
  if(NOT DEFINED word_${word})
    set(word_${word} 0)
  endif()
  math(EXPR word_${word} "${word_${word}} | (1 << (${hash} & 31))")
  string(APPEND rows "    ${n}u,\n")
  math(EXPR count "${count} + 1")
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "${INPUT}: no numbers")
endif()

set(words "")
foreach(word RANGE 2047)
  if(DEFINED word_${word})
    string(APPEND words "    [${word}] = ${word_${word}}u,\n")
  endif()
endforeach()

file(WRITE "${OUTPUT}" "/* Generated from data/strong_pseudoprimes_32.txt. */
#include \"primes/pseudoprimes.h\"

const uint32_t PRIME_PSEUDOPRIMES[] = {
${rows}};
const size_t PRIME_PSEUDOPRIMES_COUNT = ${count};

const uint32_t PRIME_PSEUDOPRIMES_FILTER[PRIME_PSEUDOPRIMES_HASHES / 32] = {
${words}};
")
