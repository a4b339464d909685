/* Words for a shell: what a shell makes of them is what went in. */
#include "../check.h"

#include "programs/joblog/shell_command.h"

#include <stdio.h>
#include <string.h>

TestSuite(shell_command, .timeout = TEST_SECONDS);

/* Runs `printf '%s\n'` on the command's words. */
static size_t run(const char *words, char *output, size_t size) {
    char command[4096];
    snprintf(command, sizeof command, "printf '%%s\\n' %s", words);
    FILE *shell = popen(command, "re");
    cr_assert(shell != NULL);
    const size_t length = fread(output, 1, size, shell);
    cr_assert(pclose(shell) == 0);
    return length;
}

Test(shell_command, any_word) {
    uint64_t seed = test_seed("shell_command/any_word");
    for (size_t i = scaled(100); i > 0; i--) {
        text_buffer command = {0};
        char wanted[1024], found[1024];
        size_t length = 0;
        for (size_t words = 1 + random_next(&seed) % 4; words > 0; words--) {
            const size_t begin = length;
            for (size_t left = random_next(&seed) % 12; left > 0; left--) {
                static const char HARD[] = "'\"\\ $`~*?[]{}()<>|&;#!=-\t\n%az09";
                wanted[length++] = random_next(&seed) % 2
                                       ? HARD[random_next(&seed) % (sizeof HARD - 1)]
                                       : (char)(1 + random_next(&seed) % 255);
            }
            shell_add_word(&command, wanted + begin, length - begin);
            wanted[length++] = '\n';
        }
        cr_assert(run(command.text, found, sizeof found) == length &&
                      memcmp(found, wanted, length) == 0,
                  "%s", command.text);
        text_buffer_free(&command);
    }
}

Test(shell_command, plain_words_stay_plain) {
    text_buffer command = {0};
    shell_add_word(&command, "/usr/bin/x", 10);
    shell_add_option(&command, "--name", "a b");
    shell_add_option_number(&command, "--count", 7);
    shell_add_option_seconds(&command, "--timeout", 1500000000);
    shell_add_word(&command, "", 0);
    cr_assert_str_eq(command.text, "/usr/bin/x --name='a b' --count=7 --timeout=1.500000000 ''");
    text_buffer_free(&command);
}
