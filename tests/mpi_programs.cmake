# The programs and examples that run on the ranks of an MPI job. After mpi/mpi.cmake.
if(NOT COMMAND mpi_test)
  return()
endif()

mpi_test(primecheck_mpi 240)

# The sum is the same on ranks and alone.
function(mpi_pi_test name)
  primepool_test(mpi.${name} mpi 60 ${ARGN} "$<TARGET_FILE:example_mpi_pi>" 20)
  set_property(TEST mpi.${name} APPEND PROPERTY ENVIRONMENT OMPI_ALLOW_RUN_AS_ROOT=1
                                                OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
                                                OMPI_MCA_rmaps_base_oversubscribe=1
                                                OMPI_MCA_btl_vader_single_copy_mechanism=none)
  set_property(TEST mpi.${name} PROPERTY PASS_REGULAR_EXPRESSION
                                         "workers: 15704679 hits, pi is about 3\\.140936\n")
endfunction()
mpi_pi_test(example_pi "${PRIMEPOOL_MPIRUN}" -n 3)
mpi_pi_test(example_pi_alone)
