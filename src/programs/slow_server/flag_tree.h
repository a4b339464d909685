/* The images as files: DIRECTORY/flags/cc/cc.gif. */
#ifndef PROGRAMS_FLAG_TREE_H
#define PROGRAMS_FLAG_TREE_H

/* Writes those of all country codes, and makes the folders that are missing. What cannot be written
 * ends the program with a message and EXIT_IO. */
void flag_tree_export(const char *directory);

#endif
