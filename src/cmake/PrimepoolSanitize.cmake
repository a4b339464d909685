# Sanitizers are the one thing set for a whole build and not for each target: an object that was
# compiled without them hides what it does.
set(PRIMEPOOL_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

if(PRIMEPOOL_SANITIZE)
  add_compile_options(-fsanitize=${PRIMEPOOL_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PRIMEPOOL_SANITIZE})
endif()
