/* Looks at the file of certificates before a run, so that a bad one is one message and not an error of each code. */
#ifndef DOWNLOAD_CA_FILE_H
#define DOWNLOAD_CA_FILE_H

/* NULL, or what is wrong with the file: why it cannot be read, "not a regular file" (each connection may read it anew,
 * and a pipe would be waited for), "no certificate in it". Certificates are in PEM (RFC 7468). That they can be
 * parsed is not checked. The text stays until the next call of strerror. */
const char *ca_file_fault(const char *path);

#endif
