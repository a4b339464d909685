/* Which servers are on this machine, and so may be about to start. When they are waited for: cli/test_transfer.py. */
#include "../check.h"

#include "download/late_server.h"

TestSuite(late_server, .timeout = TEST_SECONDS);

static void expect(bool wanted, const char *const *sites, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_assert(late_server_is_here(sites[i]) == wanted, "%s", sites[i]);
    }
}

Test(late_server, on_this_machine) {
    static const char *const SITES[] = {
        "http://localhost",           "http://localhost:8000/flags",
        "https://LOCALHOST/",         "HTTP://u:p@localhost:1/x",
        "http://flags.localhost/x",   "http://127.0.0.1",
        "http://127.255.1.2:80/x/y",  "http://[::1]",
        "https://a@[::1]:8000/flags",
    };
    expect(true, SITES, COUNT_OF(SITES));
}

Test(late_server, elsewhere) {
    static const char *const SITES[] = {
        "http://example.org",
        "http://localhost.example.org/",
        "http://notlocalhost/",
        "http://127.0.0.1.example.org/",
        "http://example.org/localhost",
        "http://localhost@example.org/",
        "http://128.0.0.1/",
        "http://10.0.0.1:8000/flags",
        "http://0.0.0.0/",
        "http://[::2]/",
        "http://[2001:db8::1]:8000/",
        "http://",
        "",
    };
    expect(false, SITES, COUNT_OF(SITES));
}
