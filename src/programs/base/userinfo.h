/* Messages that show no password. */
#ifndef PROGRAMS_USERINFO_H
#define PROGRAMS_USERINFO_H

/* Cuts the user name and the password of a URL ("NAME:PASSWORD@") out of the message, in place. Returns `message`.
 *
 * The URL stands in quotes, or has a scheme ("http://"). It need not be a valid one: a password may have any
 * character. So all from there to the last @ of the message goes, which may be more than the password. If the
 * quotes do not end, the message was cut off, and all of the URL goes. */
char *userinfo_hide(char *message);

#endif
