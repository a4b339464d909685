/* Files of a folder that requests name. */
#ifndef PROGRAMS_BENEATH_H
#define PROGRAMS_BENEATH_H

/* Opens the file for reading, without waiting for a FIFO's writer. The path leads down from the folder, has no ".."
 * and at most BENEATH_PATH_MAX bytes. -1 and errno if there is no such file.
 *
 * The file lies in the folder: a symbolic link that leads out of it is an error (EXDEV). Links inside the
 * folder are followed. A kernel without openat2 (before Linux 5.6, or a filter) follows no link (ELOOP). */
int beneath_open(int folder, const char *path);

#define BENEATH_PATH_MAX 255

#endif
