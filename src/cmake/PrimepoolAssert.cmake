# Assertions of the core (platform/assert.h): on in debug builds, off in what users run. Like sanitizers
# they are set for the whole build: some structs have members for them.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(assert_default ON)
else()
  set(assert_default OFF)
endif()
option(PRIMEPOOL_ASSERT "Check at run time what the core relies on" ${assert_default})

if(PRIMEPOOL_ASSERT)
  add_compile_definitions(CFI_ASSERTIONS=)
endif()
