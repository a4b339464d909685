# Proves that check_layout.cmake can fail: a small tree that is right passes, and the same tree with
# one fault fails and names the file.
#
#   cmake -DWORK=<empty folder> -P test_check_layout.cmake
cmake_minimum_required(VERSION 3.25)

set(tree "${WORK}/tree")

function(make_tree)
  file(REMOVE_RECURSE "${tree}")
  foreach(name CHANGELOG.md CMakeLists.txt CMakePresets.json LICENSE README.md
          src/run tests/run bench/run data/numbers.txt .gitignore)
    file(WRITE "${tree}/${name}" "\n")
  endforeach()
  file(WRITE "${tree}/src/include/cfutures.h" "#include <stdint.h>\n")
  file(WRITE "${tree}/src/include/cfutures_other.h" "#include <cfutures.h>\n")
  file(WRITE "${tree}/src/platform/clock.c" "#include <sys/mman.h>\n#include <unistd.h>\n")
  file(WRITE "${tree}/src/cfutures/queue.c"
       "#include \"cfutures/queue.h\"\n#include \"platform/futex.h\"\n"
       "#include <cfutures.h>\n#include <string.h>\n")
  file(WRITE "${tree}/src/executors/serial.c"
       "#include \"executors/x.h\"\n#include \"cfutures/queue.h\"\n#include <pthread.h>\n")
  file(WRITE "${tree}/src/primes/trial.c" "#include \"primes/primes.h\"\n#include <math.h>\n#include <gmp.h>\n")
  file(WRITE "${tree}/src/programs/procs.c"
       "#include \"primes/primes.h\"\n#include \"programs/x.h\"\n#include \"beside.h\"\n"
       "#include <cfutures.h>\n#include <argp.h>\n")
  file(WRITE "${tree}/src/programs/beside.h" "\n")
endfunction()

function(check expected_text)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${tree}" -P "${CMAKE_CURRENT_LIST_DIR}/check_layout.cmake"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(FIND "${output}" "${expected_text}" at)
  if(expected_text STREQUAL "")
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "a good tree does not pass:\n${output}")
    endif()
  elseif(result EQUAL 0)
    message(FATAL_ERROR "passes, though: ${expected_text}")
  elseif(at EQUAL -1)
    message(FATAL_ERROR "fails, but not with '${expected_text}':\n${output}")
  endif()
endfunction()

make_tree()
check("")

# folder, line that it must not hold
foreach(bad
    "cfutures|#include \"executors/serial.h\""
    "cfutures|#include \"primes/primes.h\""
    "cfutures|#include <pthread.h>"
    "cfutures|#include <unistd.h>"
    "cfutures|#include <sys/mman.h>"
    "cfutures|  #  include <linux/futex.h>"
    "cfutures|#include \"../executors/serial.h\""
    "cfutures|#include \"missing.h\""
    "cfutures|#include <gmp.h>"
    "primes|#include <unistd.h>"
    "platform|#include \"cfutures/queue.h\""
    "platform|#include \"executors/serial.h\""
    "executors|#include \"primes/primes.h\""
    "executors|#include \"programs/base/output.h\""
    "primes|#include \"cfutures/queue.h\""
    "primes|#include \"executors/serial.h\""
    "primes|#include <cfutures.h>"
    "primes|#include <unistd.h>"
    "programs|#include \"cfutures/queue.h\""
    "programs|#include \"executors/serial.h\""
    "programs|#include \"platform/futex.h\""
    "include|#include \"cfutures/queue.h\""
    "include|#include <pthread.h>")
  string(REGEX MATCH "^([a-z]+)\\|(.*)$" matched "${bad}")
  set(folder "${CMAKE_MATCH_1}")
  set(line "${CMAKE_MATCH_2}")
  make_tree()
  file(WRITE "${tree}/src/${folder}/deep/bad.c" "int a[;\n${line}\n")
  check("src/${folder}/deep/bad.c: ${folder}/ must not include")
endforeach()

make_tree()
file(WRITE "${tree}/src/surprise/a.c" "\n")
check("src/surprise: no rule")

make_tree()
file(WRITE "${tree}/notes.txt" "\n")
check("notes.txt: does not belong")

make_tree()
file(REMOVE_RECURSE "${tree}/data")
check("data: is missing")

make_tree()
file(REMOVE "${tree}/bench/run")
check("bench/run: is missing")

file(REMOVE_RECURSE "${tree}")
