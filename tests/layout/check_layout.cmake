# Includes go one way, the files of the core are short, and the top level holds what it should.
#
#   cmake -DROOT=<checkout> -P check_layout.cmake
#
# Each folder of src may include what its row names: folders of src, the public header, and of the
# system's headers those of the C standard ("c"), these and the number libraries ("numbers"), or all
# ("os"). A row holds for the folders below it too, unless they have rows of their own. A bare name is
# a file beside the includer. <mpi.h> is for the executor on MPI alone, which nobody else includes: no other
# part needs an MPI. Every violation is listed; one is enough to fail.
cmake_minimum_required(VERSION 3.25)

# The core's floors, the lowest first: each may include itself and those below it.
set(queue "cfutures/queue platform")
set(worker "cfutures/worker ${queue}")
set(core "cfutures/core ${worker}")
set(waiting "cfutures/waiting ${core}")
set(batch "cfutures/batch ${waiting}")
set(top "cfutures ${batch}")

#        folder           | folders of src                    | public | system
set(rules
  "include          |                                   | yes    | c "
  "platform         | platform                          | yes    | os"
  "cfutures/queue   | ${queue}                          | yes    | c "
  "cfutures/worker  | ${worker}                         | yes    | c "
  "cfutures/core    | ${core}                           | yes    | c "
  "cfutures/waiting | ${waiting}                        | yes    | c "
  "cfutures/batch   | ${batch}                          | yes    | c "
  "cfutures         | ${top}                            | yes    | c "
  "executors        | executors ${top}                  | yes    | os"
  "executors/mpi    | executors/mpi executors ${top}    | yes    | os"
  "primes           | primes platform                   | no     | numbers"
  "download         | download platform                 | yes    | os"
  "programs         | programs primes download platform | yes    | os"
  "examples         |                                   | yes    | os")

# Most lines of a file of the core: a longer one holds two subjects.
set(lines_max 450)

set(c_headers assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal
  stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time
  uchar wchar wctype)

set(numbers_headers gmp flint/fmpz primesieve)

set(top_level CHANGELOG.md CMakeLists.txt CMakePresets.json LICENSE README.md bench data src tests)
set(top_level_dotted .ci .clang-format .clang-tidy .editorconfig .github .gitignore)

set(faults "")

function(complain text)
  list(APPEND faults "${text}")
  set(faults "${faults}" PARENT_SCOPE)
endfunction()

# ---- includes ------------------------------------------------------------------------------------

# The longest folder with a row that holds `path` (from src); empty if there is none.
function(find_folder path result)
  cmake_path(GET path PARENT_PATH folder)
  while(folder AND NOT folder IN_LIST known)
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
  set(${result} "${folder}" PARENT_SCOPE)
endfunction()

function(check_include file folder allowed public system header)
  set(fault "${file}: ${folder}/ must not include ${header}")
  string(REGEX REPLACE "^.(.*).$" "\\1" name "${header}")
  if(header MATCHES "^<")
    string(REGEX REPLACE "\\.h$" "" stem "${name}")
    if(name MATCHES "^cfutures")
      if(NOT public STREQUAL "yes")
        complain("${fault}")
      endif()
    elseif(stem STREQUAL "mpi")
      if(NOT folder STREQUAL "executors/mpi")
        complain("${fault}")
      endif()
    elseif(NOT system STREQUAL "os" AND NOT stem IN_LIST c_headers
           AND NOT (system STREQUAL "numbers" AND stem IN_LIST numbers_headers))
      complain("${fault}")
    endif()
  elseif(name MATCHES "\\.\\.")
    complain("${fault}")
  elseif(name MATCHES "/")
    find_folder("${name}" included)
    if(NOT included IN_LIST allowed)
      complain("${fault}")
    endif()
  else()
    cmake_path(GET file PARENT_PATH directory)
    if(NOT EXISTS "${ROOT}/${directory}/${name}")
      complain("${fault}")
    endif()
  endif()
  set(faults "${faults}" PARENT_SCOPE)
endfunction()

function(check_file file folder allowed public system)
  set(include "^[ \t]*#[ \t]*include[ \t]*([<\"][^>\"]+[>\"])")
  file(STRINGS "${ROOT}/${file}" lines REGEX "${include}")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "${include}" matched "${line}")
    check_include("${file}" "${folder}" "${allowed}" "${public}" "${system}" "${CMAKE_MATCH_1}")
  endforeach()
  set(faults "${faults}" PARENT_SCOPE)
endfunction()

set(known "")
foreach(rule IN LISTS rules)
  string(REGEX REPLACE " .*" "" folder "${rule}")
  list(APPEND known "${folder}")
endforeach()

foreach(rule IN LISTS rules)
  string(REGEX REPLACE " *\\| *" "|" rule "${rule}")
  string(REGEX MATCH "^([^ |]+)\\|([^|]*)\\|([a-z]+)\\|([a-z]+)" matched "${rule}")
  set(folder "${CMAKE_MATCH_1}")
  set(public "${CMAKE_MATCH_3}")
  set(system "${CMAKE_MATCH_4}")
  string(REPLACE " " ";" allowed "${CMAKE_MATCH_2}")
  file(GLOB_RECURSE files RELATIVE "${ROOT}/src" "${ROOT}/src/${folder}/*.[ch]")
  foreach(file IN LISTS files)
    find_folder("${file}" owner)
    if(owner STREQUAL folder)
      check_file("src/${file}" "${folder}" "${allowed}" "${public}" "${system}")
    endif()
  endforeach()
endforeach()

# A folder without a row would be a folder without a rule. In the core this is so at any depth.
file(GLOB folders RELATIVE "${ROOT}/src" LIST_DIRECTORIES true "${ROOT}/src/*")
file(GLOB_RECURSE floors RELATIVE "${ROOT}/src" LIST_DIRECTORIES true "${ROOT}/src/cfutures/*")
foreach(folder IN LISTS folders floors)
  if(IS_DIRECTORY "${ROOT}/src/${folder}" AND NOT folder IN_LIST known AND NOT folder STREQUAL "cmake")
    complain("src/${folder}: no rule says what it may include")
  endif()
endforeach()

# ---- the length of the core's files --------------------------------------------------------------

file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/src/cfutures/*.[ch]")
foreach(file IN LISTS files)
  file(READ "${ROOT}/${file}" text)
  string(REGEX MATCHALL "\n" ends "${text}")
  list(LENGTH ends lines)
  if(lines GREATER lines_max)
    complain("${file}: has ${lines} lines, more than ${lines_max}")
  endif()
endforeach()

# ---- the top level -------------------------------------------------------------------------------

# What git knows of; without git, all but what a build or a user leaves there.
set(entries "")
execute_process(COMMAND git -C "${ROOT}" ls-files OUTPUT_VARIABLE listed ERROR_QUIET
                RESULT_VARIABLE no_git)
if(no_git EQUAL 0 AND listed AND EXISTS "${ROOT}/.git")
  string(REGEX REPLACE "\n$" "" listed "${listed}")
  string(REPLACE "\n" ";" listed "${listed}")
  foreach(path IN LISTS listed)
    string(REGEX REPLACE "/.*" "" entry "${path}")
    list(APPEND entries "${entry}")
  endforeach()
  list(REMOVE_DUPLICATES entries)
else()
  file(GLOB entries RELATIVE "${ROOT}" "${ROOT}/*")
  list(FILTER entries EXCLUDE REGEX "^(\\.|build$|downloaded$)")
endif()

foreach(entry IN LISTS entries)
  if(NOT entry IN_LIST top_level AND NOT entry IN_LIST top_level_dotted)
    complain("${entry}: does not belong on the top level")
  endif()
endforeach()
foreach(entry IN LISTS top_level)
  if(NOT EXISTS "${ROOT}/${entry}")
    complain("${entry}: is missing on the top level")
  endif()
endforeach()
foreach(run src/run tests/run bench/run)
  if(NOT EXISTS "${ROOT}/${run}")
    complain("${run}: is missing")
  endif()
endforeach()

# ---- the end -------------------------------------------------------------------------------------

if(faults)
  list(JOIN faults "\n" text)
  message(FATAL_ERROR "\n${text}")
endif()
message(STATUS "includes go one way")
