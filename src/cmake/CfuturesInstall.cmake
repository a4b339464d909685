# What `cmake --install` gives: the libraries with their headers, find_package(cfutures [COMPONENTS
# openmp mpi]) and pkg-config.
include(CMakePackageConfigHelpers)

install(TARGETS cfutures EXPORT cfutures)
install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/include/cfutures.h"
              "${CMAKE_CURRENT_SOURCE_DIR}/include/cfutures_fork.h"
              "${CMAKE_CURRENT_SOURCE_DIR}/include/cfutures_group.h"
              "${CMAKE_CURRENT_SOURCE_DIR}/include/cfutures_observer.h" TYPE INCLUDE)

set(cfutures_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/cfutures")
install(
  EXPORT cfutures
  NAMESPACE cfutures::
  FILE cfutures-targets.cmake
  DESTINATION "${cfutures_package_dir}")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/cfutures-config.cmake.in"
  "${PROJECT_BINARY_DIR}/cfutures-config.cmake"
  INSTALL_DESTINATION "${cfutures_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cfutures-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cfutures-config.cmake"
              "${PROJECT_BINARY_DIR}/cfutures-config-version.cmake"
        DESTINATION "${cfutures_package_dir}")

# The .pc files find their own place, so a tree that was installed with --prefix or moved still works.
file(RELATIVE_PATH cfutures_prefix_from_pc "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
function(install_pc name)
  configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}.pc.in"
                 "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()
install_pc(cfutures)

# A component: who does not ask for it needs no OpenMP.
if(TARGET cfutures_openmp)
  install(TARGETS cfutures_openmp EXPORT cfutures-openmp)
  install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/include/cfutures_openmp.h" TYPE INCLUDE)
  install(
    EXPORT cfutures-openmp
    NAMESPACE cfutures::
    FILE cfutures-openmp-targets.cmake
    DESTINATION "${cfutures_package_dir}")
  install_pc(cfutures_openmp)
endif()

# Likewise of MPI. Whose MPI it is, the package says: a program must be started by the mpirun of the same one.
if(TARGET cfutures_mpi)
  install(TARGETS cfutures_mpi EXPORT cfutures-mpi)
  install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/include/cfutures_mpi.h" TYPE INCLUDE)
  install(
    EXPORT cfutures-mpi
    NAMESPACE cfutures::
    FILE cfutures-mpi-targets.cmake
    DESTINATION "${cfutures_package_dir}")
  list(JOIN MPI_C_LIBRARIES " " cfutures_mpi_libraries)
  install_pc(cfutures_mpi)
endif()
