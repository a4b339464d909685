#include "cfutures/queue/program_time.h"

#include "platform/clock.h"

static int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}

void cfi_program_time_start(cfi_control *control) {
    cfi_assert(plat_peek(&control->stopped_ns) == 0); /* no look was made */
    plat_store_release(&control->stands_at_ns, plat_now_ns() + 2 * CFI_LOOK_NS);
}

/* The header says why in this order. */
int64_t cfi_program_time_ns(const cfi_control *control) {
    int64_t stands_at_ns = plat_load_acquire(&control->stands_at_ns);
    int64_t stopped_ns = plat_load_acquire(&control->stopped_ns);
    return lesser(plat_now_ns() - stopped_ns, stands_at_ns);
}

int64_t cfi_program_time_look(cfi_control *control) {
    int64_t stands_at_ns = plat_load_relaxed(&control->stands_at_ns); /* this thread's own words */
    int64_t stopped_ns = plat_load_relaxed(&control->stopped_ns);
    int64_t now_ns = plat_now_ns();
    int64_t time_ns = lesser(now_ns - stopped_ns, stands_at_ns);
    cfi_assert(stands_at_ns < INT64_MAX);                       /* was started */
    plat_store_release(&control->stopped_ns, now_ns - time_ns); /* before stands_at */
    plat_store_release(&control->stands_at_ns, time_ns + 2 * CFI_LOOK_NS);
    return time_ns;
}

int64_t cfi_program_time_on_clock(const cfi_control *control, int64_t time_ns) {
    return time_ns + plat_load_relaxed(&control->stopped_ns); /* this thread's own word */
}
