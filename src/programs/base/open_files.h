/* How many descriptors this process may have open. */
#ifndef PROGRAMS_OPEN_FILES_H
#define PROGRAMS_OPEN_FILES_H

/* For how many of `wanted` connections, of which each needs so many descriptors, there is room: all of them, or
 * fewer, but at least one. Raises the limit that may be raised (RLIMIT_NOFILE, the soft one) if need be. */
unsigned open_files_allow(unsigned wanted, unsigned descriptors_each);

#endif
