#!/bin/sh
# rsh_agent.sh HOST COMMAND...: mpirun's way to another machine, which is a network namespace with process numbers and a
# name of its own.
shift
exec nsenter --net="/run/netns/$CF_TEST_REMOTE" unshare --pid --fork --kill-child --mount-proc --uts \
    sh -c "hostname remote; $*"
