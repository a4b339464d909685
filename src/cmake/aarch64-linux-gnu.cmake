# Toolchain file: a build for aarch64 on another machine, by Debian's gcc-aarch64-linux-gnu. ctest runs
# its programs in qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

# -R: QEMU 7.2 keeps a table of all pages that a program has reserved, so that a pool with its 64 GiB of
# addresses takes 2 s to make. Of 4 GiB it takes what it gets.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -R 4G -L /usr/aarch64-linux-gnu)

# Not this machine's libraries; but its programs.
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
