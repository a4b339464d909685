#define _GNU_SOURCE
#include "executors/mpi/code.h"

#include <link.h>
#include <string.h>

/* ---- fingerprints ---------------------------------------------------------------------------- */

/* FNV-1a: Fowler, Noll and Vo, http://www.isthe.com/chongo/tech/comp/fnv/. */
static uint64_t fingerprint(uint64_t so_far, const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        so_far = (so_far ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return so_far;
}

#define NOTHING UINT64_C(0xcbf29ce484222325)

static const unsigned char *at(const struct dl_phdr_info *module, size_t address) {
    return (const unsigned char *)((uintptr_t)module->dlpi_addr + address);
}

static size_t padded(size_t size) {
    return (size + 3) & ~(size_t)3;
}

/* Among the notes of one segment. NULL: it has no build id. */
static const unsigned char *find_build_id(const unsigned char *notes, size_t size, size_t *length) {
    static const char owner[] = "GNU";
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        const unsigned char *name = notes + sizeof note;
        const size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
        if (whole > size) {
            break;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof owner &&
            memcmp(name, owner, sizeof owner) == 0) {
            *length = note.n_descsz;
            return name + padded(note.n_namesz);
        }
        notes += whole;
        size -= whole;
    }
    return NULL;
}

static uint64_t fingerprint_of(const struct dl_phdr_info *module) {
    uint64_t bytes = NOTHING;
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        size_t length;
        if (segment->p_type == PT_NOTE) {
            const unsigned char *id =
                find_build_id(at(module, segment->p_vaddr), segment->p_memsz, &length);
            if (id != NULL) {
                return fingerprint(NOTHING, id, length);
            }
        }
    }
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & (PF_R | PF_W)) == PF_R) {
            bytes = fingerprint(bytes, at(module, segment->p_vaddr), segment->p_filesz);
        }
    }
    return bytes;
}

/* ---- looking through the modules ------------------------------------------------------------- */

static bool has_code_at(const struct dl_phdr_info *module, uintptr_t address) {
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        const uintptr_t first = (uintptr_t)at(module, segment->p_vaddr);
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 && address >= first &&
            address - first < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

typedef struct search {
    uintptr_t address; /* of code; 0 = not known yet */
    cfi_mpi_code code;
} search;

static int look_by_address(struct dl_phdr_info *module, size_t size, void *context) {
    search *wanted = context;
    (void)size;
    if (!has_code_at(module, wanted->address)) {
        return 0;
    }
    wanted->code = (cfi_mpi_code){
        .module = fingerprint_of(module),
        .offset = wanted->address - (uintptr_t)module->dlpi_addr,
    };
    return 1;
}

static int look_by_code(struct dl_phdr_info *module, size_t size, void *context) {
    search *wanted = context;
    const uintptr_t address = (uintptr_t)module->dlpi_addr + wanted->code.offset;
    (void)size;
    if (!has_code_at(module, address) || fingerprint_of(module) != wanted->code.module) {
        return 0;
    }
    wanted->address = address;
    return 1;
}

/* The program comes first. */
static int look_at_program(struct dl_phdr_info *module, size_t size, void *context) {
    uint64_t *program = context;
    (void)size;
    *program = fingerprint_of(module);
    return 1;
}

bool cfi_mpi_code_of(cf_task_fn *run, cfi_mpi_code *code) {
    search wanted = {.address = (uintptr_t)run};
    bool found = dl_iterate_phdr(look_by_address, &wanted) != 0;
    *code = wanted.code;
    return found;
}

cf_task_fn *cfi_mpi_code_find(cfi_mpi_code code) {
    search wanted = {.code = code};
    if (dl_iterate_phdr(look_by_code, &wanted) == 0) {
        return NULL;
    }
    cf_task_fn *run;
    _Static_assert(sizeof run == sizeof wanted.address, "a function's address is a number");
    memcpy(&run, &wanted.address, sizeof run);
    return run;
}

uint64_t cfi_mpi_code_program(void) {
    uint64_t program = NOTHING;
    dl_iterate_phdr(look_at_program, &program);
    return program;
}
