/* primecheck [OPTION...] [NUMBER...]: which numbers are prime?
 *
 *     reader ──blocks of text──▶ stream on any executor ──lines──▶ standard output
 *
 * The main thread reads and writes, the workers do all between. What is under way is bounded by the
 * stream's window, so memory does not grow with the input. */
#include "programs/base/output.h"
#include "programs/base/stop_signals.h"
#include "programs/primecheck/primecheck_options.h"
#include "programs/primecheck/primecheck_range.h"
#include "programs/primecheck/primecheck_run.h"

int main(int argc, char **argv) {
    primecheck_options options;
    output_prepare(argv);
    stop_signals_prepare();
    primecheck_options_parse(&options, argc, argv);
    return options.has_range ? primecheck_range(&options) : primecheck_run(&options);
}
