# 32-bit builds are refused at configuration: a pool reserves 64 GiB of addresses.

function(primepool_refuse_32_bit)
  message(FATAL_ERROR "primepool needs 64-bit addresses: a pool reserves 64 GiB of them. This build has 32-bit "
                      "addresses (-m32, -mx32 or a 32-bit compiler).")
endfunction()

# Before project(): if the system has no 32-bit libraries, project() fails, and does not name that reason.
function(primepool_check_flags)
  set(flags "${CMAKE_C_FLAGS}")
  if(NOT DEFINED CMAKE_C_FLAGS) # as project() does it
    set(flags "$ENV{CFLAGS}")
  endif()
  if(NOT DEFINED CMAKE_C_COMPILER)
    string(APPEND flags " $ENV{CC}")
  endif()
  if(flags MATCHES "(^| )-mx?32( |$)")
    primepool_refuse_32_bit()
  endif()
endfunction()

# After project().
function(primepool_check_addresses)
  if(NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    primepool_refuse_32_bit()
  endif()
endfunction()
