# The target flint, if FLINT is there: tests and benches compare with it, and leave that out otherwise.
include_guard(GLOBAL)
option(PRIMEPOOL_FLINT "Use FLINT where it is installed" ON)

if(PRIMEPOOL_FLINT)
  find_path(FLINT_INCLUDE_DIR flint/ulong_extras.h)
  find_library(FLINT_LIBRARY flint)
  find_library(GMP_LIBRARY gmp)
  mark_as_advanced(FLINT_INCLUDE_DIR FLINT_LIBRARY GMP_LIBRARY)
  if(FLINT_INCLUDE_DIR AND FLINT_LIBRARY AND GMP_LIBRARY)
    add_library(flint UNKNOWN IMPORTED GLOBAL)
    set_target_properties(
      flint PROPERTIES IMPORTED_LOCATION "${FLINT_LIBRARY}"
                       INTERFACE_INCLUDE_DIRECTORIES "${FLINT_INCLUDE_DIR}"
                       INTERFACE_LINK_LIBRARIES "${GMP_LIBRARY}")
  endif()
endif()
if(NOT TARGET flint)
  message(STATUS "No FLINT: nothing is compared with it")
endif()
