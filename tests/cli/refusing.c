/* refusing CALL ERRNO PROGRAM [ARGUMENT...]: runs the program; the kernel refuses it that call. */
#include "../refuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 4 || !refuse_call(argv[1], atoi(argv[2]))) {
        fprintf(stderr, "refusing: cannot\n");
        return 125;
    }
    execv(argv[3], argv + 3);
    perror(argv[3]);
    return 126;
}
