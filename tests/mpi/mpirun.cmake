# PRIMEPOOL_MPIRUN: the mpirun of the MPI that was found, of Open MPI or of MPICH. (FindMPI takes the first
# mpiexec of the system, which may be another MPI's: each of its ranks would then think that it is alone.)
find_package(MPI 3.0 REQUIRED QUIET COMPONENTS C) # targets are of one directory
get_filename_component(mpi_cc "${MPI_C_COMPILER}" NAME)
string(REPLACE "mpicc" "mpirun" mpirun "${mpi_cc}")
find_program(PRIMEPOOL_MPIRUN "${mpirun}" HINTS "${MPI_C_COMPILER}/.." REQUIRED)
mark_as_advanced(PRIMEPOOL_MPIRUN)
