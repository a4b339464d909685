# Writes COUNTRY_CODES as C:  cmake -DINPUT=country_codes.txt -DOUTPUT=country_codes.c -P generate_country_codes.cmake
cmake_minimum_required(VERSION 3.25)

file(STRINGS "${INPUT}" lines REGEX "^[^#]*[^# \t]")
set(rows "")
set(before "")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^[A-Z][A-Z]$" OR NOT line STRGREATER before)
    message(FATAL_ERROR "${INPUT}: not a code of two letters, in alphabetical order: ${line}")
  endif()
  set(before ${line})
  string(APPEND rows "    {\"${line}\"},\n")
endforeach()
if(rows STREQUAL "")
  message(FATAL_ERROR "${INPUT}: no codes")
endif()

file(WRITE "${OUTPUT}" "/* Generated from data/country_codes.txt. */
#include \"download/country_codes.h\"

const country_code COUNTRY_CODES[] = {
${rows}};
const size_t COUNTRY_CODES_COUNT = sizeof COUNTRY_CODES / sizeof COUNTRY_CODES[0];
")
