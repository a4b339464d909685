# primepool_warnings: linked by every target of ours, seen by nobody who links to them. A target that
# is installed takes it as $<BUILD_INTERFACE:primepool_warnings>.
option(PRIMEPOOL_WERROR "Take warnings for errors" OFF)

add_library(primepool_warnings INTERFACE)
target_compile_options(
  primepool_warnings
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            -Wstrict-prototypes
            -Wmissing-prototypes
            $<$<BOOL:${PRIMEPOOL_WERROR}>:-Werror>)
