# Fault points (cfutures.h): places where a test has a worker, the nursery or the program die. Off in what
# users run; then they are not in the library at all.
option(PRIMEPOOL_FAULT_POINTS "Build in fault points, for tests with CF_FAULT" OFF)

if(PRIMEPOOL_FAULT_POINTS)
  add_compile_definitions(CFI_FAULT_POINTS=)
endif()
