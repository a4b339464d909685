#include "platform/fault.h"

#include <cfutures.h>
#include <stddef.h>

#ifdef CFI_FAULT_POINTS

#include "platform/fault_rules.h"

const char *cf_fault_point_name(unsigned point) {
    return plat_fault_name(point);
}

uint64_t cf_fault_point_visits(unsigned point) {
    return point < PLAT_FAULT_END ? plat_fault_visits((plat_fault_id)point) : 0;
}

uint64_t cf_faults_done(void) {
    return plat_fault_done();
}

#else

const char *cf_fault_point_name(unsigned point) {
    (void)point;
    return NULL;
}

uint64_t cf_fault_point_visits(unsigned point) {
    (void)point;
    return 0;
}

uint64_t cf_faults_done(void) {
    return 0;
}

#endif
