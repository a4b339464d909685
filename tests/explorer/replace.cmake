# cmake -DCHANGE=FILE -P replace.cmake: copies `input` to `output` with `original`, which must stand
# there exactly once, replaced by `replacement`. FILE sets the four.
cmake_minimum_required(VERSION 3.25)
include("${CHANGE}")

file(READ "${input}" text)
string(FIND "${text}" "${original}" first)
string(FIND "${text}" "${original}" last REVERSE)
if(first EQUAL -1 OR NOT first EQUAL last)
  message(FATAL_ERROR "${input} is to hold this exactly once, to be replaced for ${output}:\n${original}")
endif()
string(REPLACE "${original}" "${replacement}" text "${text}")
file(WRITE "${output}" "${text}")
