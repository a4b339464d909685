# Libraries that do what is theirs to do. Each is optional: where it is missing, or switched off by
# PRIMEPOOL_<NAME>=OFF, the build leaves out what needs it, and a program that is asked for that says so.
#
#   gmp          numbers from 2^64 on; probable primes
#   flint        proofs of primality; what tests and benches compare with
#   primesieve   all primes of an interval
#   curl         the download programs, which need jansson too
#   jansson      their JSON, and that of job logs
#   xxhash       job logs, which need jansson too
#   ssl          OpenSSL, with crypto: the downloads parse certificates once, not once for each connection or worker
#   gif          draws the images of slow_server, and judges GIFs in tests
#   microhttpd   slow_server, which needs gif too
#
# Makes a target of that name for each that is there.
include_guard(GLOBAL)

# primepool_library(NAME HEADER)
function(primepool_library name header)
  string(TOUPPER ${name} upper)
  option(PRIMEPOOL_${upper} "Use ${name} where it is installed" ON)
  if(PRIMEPOOL_${upper})
    find_path(${upper}_INCLUDE_DIR ${header})
    find_library(${upper}_LIBRARY ${name})
    mark_as_advanced(${upper}_INCLUDE_DIR ${upper}_LIBRARY)
    if(${upper}_INCLUDE_DIR AND ${upper}_LIBRARY)
      add_library(${name} UNKNOWN IMPORTED GLOBAL)
      set_target_properties(
        ${name} PROPERTIES IMPORTED_LOCATION "${${upper}_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES
                                                                   "${${upper}_INCLUDE_DIR}")
      return()
    endif()
  endif()
  message(STATUS "Without ${name}")
endfunction()

primepool_library(gmp gmp.h)
primepool_library(primesieve primesieve.h)
primepool_library(curl curl/curl.h)
primepool_library(jansson jansson.h)
primepool_library(xxhash xxhash.h)
option(PRIMEPOOL_SSL "Use ssl where it and crypto are installed" ON)
primepool_library(crypto openssl/crypto.h)
if(TARGET crypto)
  primepool_library(ssl openssl/ssl.h)
  if(TARGET ssl)
    set_target_properties(ssl PROPERTIES INTERFACE_LINK_LIBRARIES crypto)
  endif()
endif()
primepool_library(gif gif_lib.h)
primepool_library(microhttpd microhttpd.h)
option(PRIMEPOOL_FLINT "Use flint where it and gmp are installed" ON)
if(TARGET gmp)
  primepool_library(flint flint/ulong_extras.h)
  if(TARGET flint)
    set_target_properties(flint PROPERTIES INTERFACE_LINK_LIBRARIES gmp)
  endif()
endif()
