/* Messages and URLs, without the user names and passwords in them. */
#include "../check.h"

#include "download/site.h"
#include "programs/base/userinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(userinfo, .timeout = TEST_SECONDS);

/* ---- messages -------------------------------------------------------------------------------- */

static void expect_hidden(const char *message, const char *wanted) {
    char *text = strdup(message);
    cr_assert_str_eq(userinfo_hide(text), wanted);
    free(text);
}

Test(userinfo, urls_in_messages) {
    expect_hidden("--base-url: 'ftp://n:pw@h/x' does not begin with http:// or https://",
                  "--base-url: 'ftp://h/x' does not begin with http:// or https://");
    expect_hidden("'n:pw@h' is not a country code", "'h' is not a country code");
    expect_hidden("'http://token@h'", "'http://h'");
    expect_hidden("could not resolve http://n:pw@h:80/x: why",
                  "could not resolve http://h:80/x: why");
    expect_hidden("' http://n:pw@h' is wrong", "'h' is wrong");
}

/* Whatever is in the password, or is wrong with the URL. */
Test(userinfo, any_password) {
    static const char *const PASSWORDS[] = {
        "pw",    "p/w", "p@w",     "p'w",   "p:w",      "p w",   "p?w#", "",
        "//p/w", "'",   "http://", "' 'pw", "\xc3\xa4", "%40pw", "@",    "p\\w",
    };
    for (size_t i = 0; i < COUNT_OF(PASSWORDS); i++) {
        char message[200];
        snprintf(message, sizeof message, "Unsupported proxy syntax in 'http://n:%s@h:1': why",
                 PASSWORDS[i]);
        expect_hidden(message, "Unsupported proxy syntax in 'http://h:1': why");
        if (PASSWORDS[i][0] != '/') { /* else n is the scheme */
            snprintf(message, sizeof message, "Unsupported proxy syntax in 'n:%s@h:1'",
                     PASSWORDS[i]);
            expect_hidden(message, "Unsupported proxy syntax in 'h:1'");
        }
    }
}

/* libcurl cuts long messages off. */
Test(userinfo, quotes_without_an_end) {
    expect_hidden("Unsupported proxy syntax in 'http://n:pwpwpwpw",
                  "Unsupported proxy syntax in '");
    expect_hidden("Unsupported proxy syntax in 'n:pw@pw", "Unsupported proxy syntax in '");
}

Test(userinfo, messages_without_any) {
    static const char *const MESSAGES[] = {
        "",
        "HTTP error 418 - I'm a Teapot",
        "Failed to connect to localhost port 1 after 0 ms: Couldn't connect to server",
        "me@home/BR.gif: No space left on device",
        "SSL: certificate subject name 'me@home' does not match target host name 'home'",
        "--retries: 'x' is not a number from 0 to 100",
        "--dest: '' is not the name of a folder",
        "'a@b' is not a country code from A to Z or AA to ZZ",
    };
    for (size_t i = 0; i < COUNT_OF(MESSAGES); i++) {
        expect_hidden(MESSAGES[i], MESSAGES[i]);
    }
}

/* ---- the site -------------------------------------------------------------------------------- */

Test(userinfo, sites) {
    static const struct {
        const char *url, *shown, *host;
    } SITES[] = {
        {"http://localhost:8000/flags", "http://localhost:8000/flags", "localhost:8000"},
        {"http://n:pw@h/flags", "http://h/flags", "h"},
        {"HTTPS://n@h:443/a/b", "HTTPS://h:443/a/b", "h:443"},
        {"http://n:p%40w@[::1]:80", "http://[::1]:80", "[::1]:80"},
        {"http://h/@x/flags", "http://h/@x/flags", "h"},
        {"http://n:p:w@h/x@y", "http://h/x@y", "h"},
        {"http:///n:pw@h", "http:///h", "h"},
    };
    for (size_t i = 0; i < COUNT_OF(SITES); i++) {
        char *shown = site_shown(SITES[i].url), *host = site_host(SITES[i].url);
        cr_assert(site_is_valid(SITES[i].url), "%s", SITES[i].url);
        cr_assert_str_eq(shown, SITES[i].shown);
        cr_assert_str_eq(host, SITES[i].host);
        free(shown);
        free(host);
    }
}

Test(userinfo, what_is_no_site) {
    static const char *const URLS[] = {
        "http://", "http:///", "http://n:p/w@h", "http://h:x", "http://h:99999", "http://a b", "",
    };
    for (size_t i = 0; i < COUNT_OF(URLS); i++) {
        cr_assert(!site_is_valid(URLS[i]), "%s", URLS[i]);
    }
}
