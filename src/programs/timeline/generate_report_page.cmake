# Writes report.html as C, in two parts, without the sample that stands where the data belong:
#   cmake -DINPUT=report.html -DOUTPUT=report_page.c -P generate_report_page.cmake
cmake_minimum_required(VERSION 3.25)

set(start "<script type=\"application/json\" id=\"run-table\">")
set(end "</script>")

file(READ "${INPUT}" page)
string(FIND "${page}" "${start}" at)
string(FIND "${page}" "${start}" last REVERSE)
if(at EQUAL -1 OR NOT at EQUAL last)
  message(FATAL_ERROR "${INPUT}: has not exactly one ${start}")
endif()

# In hexadecimal from here, where CMake sees neither lists nor brackets.
file(READ "${INPUT}" page HEX)
string(HEX "${start}" start)
string(HEX "${end}" end)
string(FIND "${page}" "${start}" at)
string(LENGTH "${start}" length)
math(EXPR at "${at} + ${length}")
string(SUBSTRING "${page}" 0 ${at} before)
string(SUBSTRING "${page}" ${at} -1 rest)
string(FIND "${rest}" "${end}" at)
string(SUBSTRING "${rest}" ${at} -1 behind)

function(as_array name hex)
  string(LENGTH "${hex}" length)
  math(EXPR odd "${length} % 2")
  if(odd OR length EQUAL 0)
    message(FATAL_ERROR "${INPUT}: ${name} is not a part of whole bytes")
  endif()
  string(REPEAT "[0-9a-f]" 64 row)
  string(REGEX REPLACE "(${row})" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  file(APPEND "${OUTPUT}" "
const unsigned char ${name}[] = {
${hex}
};
const size_t ${name}_SIZE = sizeof ${name};
")
endfunction()

file(WRITE "${OUTPUT}" "/* Generated from report.html. */
#include \"programs/timeline/report_page.h\"
")
as_array(REPORT_PAGE_BEFORE "${before}")
as_array(REPORT_PAGE_BEHIND "${behind}")
