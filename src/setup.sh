# What src/run, tests/run and bench/run share: find out what is missing, install it, configure,
# build. Sourced by them, in POSIX sh, after they have set
#
#     root   the project's top directory
#     self   the name that messages begin with
#
# Everything said here, by apt, by CMake and by the compiler goes to stderr or to the log: stdout is
# for the job itself. Nothing is said where nothing had to be done.

log=$root/build/setup.log

say() {
    printf '%s: %s\n' "$self" "$*" >&2
}

# Ends with code 3: the job could not be begun.
fail() {
    say "$@"
    exit 3
}

# logged COMMAND [ARG...]: shows what the command said only if it fails, and ends then.
logged() {
    "$@" >>"$log" 2>&1 </dev/null && return
    say "failed: $*"
    tail -n 40 "$log" >&2
    fail "the whole log is $log"
}

# ---- what the job needs --------------------------------------------------------------------------
# A job lists its needs in a function of `need` lines. Each one is a package of Debian and a command
# that succeeds where that package is not needed any more, so that a compiler or a CMake that came by
# another way will do.

need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 </dev/null || missing="$missing $package"
}

has_command() {
    command -v "$1"
}

# CC may be more than one word: options, or a launcher in front of the compiler.
has_compiler() {
    set -- ${CC:-cc}
    command -v "$1"
}

has_header() {
    echo "#include <$1>" | ${CC:-cc} -fsyntax-only -x c -
}

build_needs() {
    need gcc has_compiler
    need libc6-dev has_header pthread.h
    need cmake has_command cmake
    need ninja-build has_command ninja
}

# For aarch64 on another machine.
cross_needs() {
    build_needs
    need gcc-aarch64-linux-gnu has_command aarch64-linux-gnu-gcc
    need libc6-dev-arm64-cross has_cross_header
    need python3 has_command python3
}

has_cross_header() {
    echo '#include <pthread.h>' | aarch64-linux-gnu-gcc -fsyntax-only -x c -
}

# Job logs.
joblog_needs() {
    need libjansson-dev has_header jansson.h
    need libxxhash-dev has_header xxhash.h
}

# The libraries of the download programs, and those of slow_server.
download_needs() {
    need libcurl4-openssl-dev has_header curl/curl.h
    need libjansson-dev has_header jansson.h
    need libssl-dev has_header openssl/ssl.h
}

server_needs() {
    need libmicrohttpd-dev has_header microhttpd.h
    need libgif-dev has_header gif_lib.h
}

# The executor on MPI: any MPI will do.
mpi_needs() {
    need libopenmpi-dev has_mpi
    need openmpi-bin has_command mpirun
}

has_mpi() {
    echo '#include <mpi.h>' | mpicc -fsyntax-only -x c -
}

# Not everybody's PATH leads to where Debian has it.
has_nginx() {
    has_command nginx || has_command /usr/sbin/nginx
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# provide NEEDS: installs what the function NEEDS finds missing.
provide() {
    missing=
    "$1"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "missing, by the names of Debian's packages:$missing"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        fail "missing, and only root or sudo could install it:$missing"

    say "installing$missing"
    # Lists that are only partly fresh may still do, so that install has the last word.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update >>"$log" 2>&1 </dev/null || :
    logged as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing

    missing=
    "$1"
    [ -z "$missing" ] || fail "installed, and still not usable (is CC right?):$missing"
    installed=yes
}

# ---- configure and build -------------------------------------------------------------------------

cmake_is_new_enough() {
    version=$(cmake --version | sed -n 's/^cmake version //p')
    [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ]
}

# A build directory of another checkout's, or of an older CMakePresets.json, is begun anew.
is_configured() {
    [ -f "$1/build.ninja" ] && [ "$1/build.ninja" -nt "$root/CMakePresets.json" ] &&
        grep -sqxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$1/CMakeCache.txt"
}

# build PRESET TARGET...: where something was installed it looks again for what it did not find before.
build() {
    preset=$1
    directory=$root/build/$preset
    shift
    if ! is_configured "$directory"; then
        cmake_is_new_enough || fail "needs CMake 3.25 or newer, and this is $version"
        say "configuring build/$preset"
        logged cmake --fresh --preset "$preset"
    elif [ -n "${installed-}" ]; then
        logged cmake --preset "$preset"
    fi
    # A dry run leaves out what CMake generates, unless it is asked for by name.
    case $(ninja -C "$directory" -n build.ninja "$@" 2>&1) in
    *'no work to do'*) ;;
    *)
        say "building $* in build/$preset"
        logged ninja -C "$directory" "$@"
        ;;
    esac
}

# ---- all of it -----------------------------------------------------------------------------------

# prepare NEEDS PRESET TARGET...: leaves the targets built, or ends the script. Only one at a time
# works on a checkout; the others wait, and then find the work done.
prepare() {
    mkdir -p "$root/build" || fail "cannot write to $root"
    # In a subshell, so that the lock ends with it and the job does not inherit its descriptor.
    (
        cd "$root" || exit 3
        flock -w 2 9 || {
            say "waiting for another run to finish building"
            flock 9
        }
        : >"$log"
        needs=$1
        shift
        provide "$needs"
        build "$@"
    ) 9>"$root/build/lock" || exit 3
}
