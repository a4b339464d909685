/* In place of the core's atomics: each is a step of a simulated thread (hooks.h).
 *
 * Which order a load or a store asks for makes no difference but for a seq_cst store: the machine
 * that is simulated is an x86, with a store buffer. */
#ifndef PLATFORM_ATOMIC_H
#define PLATFORM_ATOMIC_H

#include "hooks.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* The type that an atomic object holds: the comma takes the qualifiers away. */
#define SIM_TYPE(p) __typeof__((void)0, *(p))

#define SIM_LOAD(p)                                                                                \
    __extension__({                                                                                \
        SIM_TYPE(p) sim_loaded;                                                                    \
        uint64_t sim_loaded_bits = sim_load((p), sizeof sim_loaded, #p, __func__);                 \
        memcpy(&sim_loaded, &sim_loaded_bits, sizeof sim_loaded);                                  \
        sim_loaded;                                                                                \
    })

#define SIM_STORE(p, v, function)                                                                  \
    __extension__({                                                                                \
        SIM_TYPE(p) sim_stored = (v);                                                              \
        uint64_t sim_stored_bits = 0;                                                              \
        memcpy(&sim_stored_bits, &sim_stored, sizeof sim_stored);                                  \
        function((p), sizeof sim_stored, sim_stored_bits, #p, __func__);                           \
    })

#define SIM_CHANGE(p, v, operation)                                                                \
    __extension__({                                                                                \
        SIM_TYPE(p) sim_changed = (v);                                                             \
        uint64_t sim_changed_bits = 0;                                                             \
        memcpy(&sim_changed_bits, &sim_changed, sizeof sim_changed);                               \
        sim_changed_bits =                                                                         \
            sim_change((p), sizeof sim_changed, operation, sim_changed_bits, #p, __func__);        \
        memcpy(&sim_changed, &sim_changed_bits, sizeof sim_changed);                               \
        sim_changed;                                                                               \
    })

#define plat_peek(p)                                                                               \
    __extension__({                                                                                \
        SIM_TYPE(p) sim_peeked;                                                                    \
        uint64_t sim_peeked_bits = sim_peek((p), sizeof sim_peeked);                               \
        memcpy(&sim_peeked, &sim_peeked_bits, sizeof sim_peeked);                                  \
        sim_peeked;                                                                                \
    })

#define plat_load_relaxed(p)     SIM_LOAD(p)
#define plat_load_acquire(p)     SIM_LOAD(p)
#define plat_load_seq_cst(p)     SIM_LOAD(p)
#define plat_store_relaxed(p, v) SIM_STORE(p, v, sim_store)
#define plat_store_release(p, v) SIM_STORE(p, v, sim_store)
#define plat_store_seq_cst(p, v) SIM_STORE(p, v, sim_store_and_drain)
#define plat_swap_seq_cst(p, v)  SIM_CHANGE(p, v, SIM_SWAP)
#define plat_add_relaxed(p, v)   SIM_CHANGE(p, v, SIM_ADD)
#define plat_sub_relaxed(p, v)   SIM_CHANGE(p, v, SIM_SUB)
#define plat_add_acq_rel(p, v)   SIM_CHANGE(p, v, SIM_ADD)
#define plat_add_seq_cst(p, v)   SIM_CHANGE(p, v, SIM_ADD)
#define plat_sub_acq_rel(p, v)   SIM_CHANGE(p, v, SIM_SUB)
#define plat_or_relaxed(p, v)    SIM_CHANGE(p, v, SIM_OR)
#define plat_and_release(p, v)   SIM_CHANGE(p, v, SIM_AND)
#define plat_bump_owned(p, v)    plat_store_relaxed((p), plat_load_relaxed(p) + (v))

#define plat_cas(p, expected, desired)                                                             \
    __extension__({                                                                                \
        SIM_TYPE(p) sim_desired = (desired);                                                       \
        uint64_t sim_found_bits = 0, sim_desired_bits = 0;                                         \
        memcpy(&sim_found_bits, (expected), sizeof sim_desired);                                   \
        memcpy(&sim_desired_bits, &sim_desired, sizeof sim_desired);                               \
        bool sim_was_expected =                                                                    \
            sim_cas((p), sizeof sim_desired, &sim_found_bits, sim_desired_bits, #p, __func__);     \
        memcpy((expected), &sim_found_bits, sizeof sim_desired);                                   \
        sim_was_expected;                                                                          \
    })

#endif
