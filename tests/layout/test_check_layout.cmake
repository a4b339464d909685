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
  file(WRITE "${tree}/src/cmake/build.cmake" "\n")
  file(WRITE "${tree}/src/platform/clock.c" "#include <sys/mman.h>\n#include <unistd.h>\n")
  # Five floors and the files on top of them: each file includes itself, all that is below, and platform/.
  set(includes "#include \"platform/futex.h\"\n#include <cfutures.h>\n#include <string.h>\n")
  foreach(floor queue worker core waiting batch)
    string(APPEND includes "#include \"cfutures/${floor}/${floor}.h\"\n")
    file(WRITE "${tree}/src/cfutures/${floor}/${floor}.c" "${includes}#include \"${floor}.h\"\n")
    file(WRITE "${tree}/src/cfutures/${floor}/${floor}.h" "\n")
  endforeach()
  file(WRITE "${tree}/src/cfutures/map.c" "${includes}#include \"cfutures/map.h\"\n")
  file(WRITE "${tree}/src/executors/serial.c"
       "${includes}#include \"executors/x.h\"\n#include \"cfutures/map.h\"\n#include <pthread.h>\n")
  file(WRITE "${tree}/src/executors/mpi/link.c"
       "${includes}#include \"executors/mpi/link.h\"\n#include \"executors/x.h\"\n#include <mpi.h>\n")
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
    "cfutures|#include \"queue/queue.h\""
    "cfutures|#include <gmp.h>"
    "cfutures/queue|#include \"cfutures/worker/worker.h\""
    "cfutures/queue|#include \"cfutures/batch/batch.h\""
    "cfutures/queue|#include \"cfutures/map.h\""
    "cfutures/queue|#include \"worker/worker.h\""
    "cfutures/queue|#include \"worker.h\""
    "cfutures/queue|#include \"executors/serial.h\""
    "cfutures/queue|#include <pthread.h>"
    "cfutures/worker|#include \"cfutures/core/core.h\""
    "cfutures/worker|#include \"cfutures/map.h\""
    "cfutures/worker|#include <unistd.h>"
    "cfutures/core|#include \"cfutures/waiting/waiting.h\""
    "cfutures/core|#include \"cfutures/map.h\""
    "cfutures/core|#include <unistd.h>"
    "cfutures/waiting|#include \"cfutures/batch/batch.h\""
    "cfutures/waiting|#include \"cfutures/map.h\""
    "cfutures/waiting|#include <unistd.h>"
    "cfutures/batch|#include \"cfutures/map.h\""
    "cfutures/batch|#include \"executors/serial.h\""
    "cfutures/batch|#include <unistd.h>"
    "primes|#include <unistd.h>"
    "platform|#include \"cfutures/map.h\""
    "platform|#include \"cfutures/queue/queue.h\""
    "platform|#include \"executors/serial.h\""
    "executors|#include \"primes/primes.h\""
    "executors|#include \"programs/base/output.h\""
    "executors|#include \"executors/mpi/link.h\""
    "executors|#include <mpi.h>"
    "executors/mpi|#include \"programs/base/output.h\""
    "programs|#include \"executors/mpi/link.h\""
    "programs|#include <mpi.h>"
    "include|#include <mpi.h>"
    "cfutures|#include <mpi.h>"
    "primes|#include \"cfutures/map.h\""
    "primes|#include \"cfutures/queue/queue.h\""
    "primes|#include \"executors/serial.h\""
    "primes|#include <cfutures.h>"
    "programs|#include \"cfutures/map.h\""
    "programs|#include \"cfutures/queue/queue.h\""
    "programs|#include \"executors/serial.h\""
    "include|#include \"cfutures/map.h\""
    "include|#include \"cfutures/queue/queue.h\""
    "include|#include <pthread.h>")
  string(REGEX MATCH "^([a-z/]+)\\|(.*)$" matched "${bad}")
  set(folder "${CMAKE_MATCH_1}")
  set(line "${CMAKE_MATCH_2}")
  # A rule holds for the folders below too; in the core each of those needs a rule of its own.
  set(deep "/deep")
  if(folder MATCHES "^cfutures")
    set(deep "")
  endif()
  make_tree()
  file(WRITE "${tree}/src/${folder}${deep}/bad.c" "int a[;\n${line}\n")
  check("src/${folder}${deep}/bad.c: ${folder}/ must not include")
endforeach()

# A floor that no row names; on the top, and within another.
foreach(floor cfutures/attic cfutures/queue/attic)
  make_tree()
  file(WRITE "${tree}/src/${floor}/a.c" "\n")
  check("src/${floor}: no rule")
endforeach()

# 450 lines are not too many in a file of the core, 451 are; elsewhere any number will do.
string(REPEAT "int a[;\n" 450 lines)
make_tree()
file(WRITE "${tree}/src/cfutures/queue/long.h" "${lines}")
file(WRITE "${tree}/src/executors/long.c" "${lines}\n")
check("")
foreach(file cfutures/long.c cfutures/queue/long.h)
  make_tree()
  file(WRITE "${tree}/src/${file}" "${lines}\n")
  check("src/${file}: has 451 lines, more than 450")
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
