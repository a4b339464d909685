/* C11 atomics with the memory order in the name.
 *
 * A value that only one thread (or process) writes is advanced by plat_bump_owned: a plain load and
 * store, without the cost of a locked instruction. */
#ifndef PLATFORM_ATOMIC_H
#define PLATFORM_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

#define plat_load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define plat_peek(p)             plat_load_relaxed(p) /* for assertions: no step of the explorer */
#define plat_load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define plat_load_seq_cst(p)     atomic_load_explicit((p), memory_order_seq_cst)
#define plat_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define plat_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define plat_store_seq_cst(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define plat_swap_seq_cst(p, v)  atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define plat_add_relaxed(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define plat_sub_relaxed(p, v)   atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define plat_add_acq_rel(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define plat_add_seq_cst(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define plat_sub_acq_rel(p, v)   atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define plat_or_relaxed(p, v)    atomic_fetch_or_explicit((p), (v), memory_order_relaxed)
#define plat_and_release(p, v)   atomic_fetch_and_explicit((p), (v), memory_order_release)
#define plat_bump_owned(p, v)    plat_store_relaxed((p), plat_load_relaxed(p) + (v))

/* Compare and swap. Sequentially consistent on success; on failure *expected becomes the value that
 * was found, read with acquire. */
#define plat_cas(p, expected, desired)                                                             \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_seq_cst,      \
                                            memory_order_acquire)

#endif
