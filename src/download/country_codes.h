/* Country codes of two letters, and how a list of them is put together. */
#ifndef DOWNLOAD_COUNTRY_CODES_H
#define DOWNLOAD_COUNTRY_CODES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct country_code {
    char text[3]; /* two letters A to Z */
} country_code;

country_code country_code_lower(country_code code); /* "br", as URLs have it */

/* All that have a flag, ascending: data/country_codes.txt. */
extern const country_code COUNTRY_CODES[];
extern const size_t COUNTRY_CODES_COUNT;

/* The 20 countries with the most people, the largest first, as the documents have them. */
#define POP20_COUNT ((size_t)20)
extern const country_code POP20[POP20_COUNT];

/* ---- sets of codes --------------------------------------------------------------------------- */

/* Any of the 676 from AA to ZZ; zeroed it is empty. */
typedef struct code_set {
    bool has[26][26];
} code_set;

void code_set_add(code_set *set, const country_code *codes, size_t count);
void code_set_add_every(code_set *set);

/* "b" adds BA to BZ, "br" adds BR. False for any other text, which adds nothing. */
bool code_set_add_text(code_set *set, const char *text);

#define CODE_LIST_MAX ((size_t)(26 * 26))

/* Writes the set's codes in ascending order, `limit` of them at most (at most CODE_LIST_MAX).
 * Returns how many. */
size_t code_set_list(const code_set *set, country_code *codes, size_t limit);

#endif
