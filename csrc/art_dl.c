/* SPDX-License-Identifier: Apache-2.0 */
#include "art_dl.h"

#include <dlfcn.h>

static void set_pointer(void *table, const arti_dl_symbol *symbol, void *p) {
    memcpy((uint8_t *)table + symbol->at, &p, sizeof p);
}

art_status arti_dl_open(const arti_dl *lib, const char *path, void *table, art_error *err) {
    for (size_t i = 0; i < lib->n_symbols; i++) set_pointer(table, &lib->symbols[i], NULL);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so) {
        const char *why = dlerror();
        return arti_fail(err, lib->code, 0, "%s: %s: %s%s", path, lib->absent, why ? why : "", lib->hint);
    }
    const char *missing = NULL;
    for (size_t i = 0; i < lib->n_symbols && !missing; i++) {
        const arti_dl_symbol *symbol = &lib->symbols[i];
        void *p = dlsym(so, symbol->name);
        if (p)
            set_pointer(table, symbol, p);
        else if (!symbol->is_optional)
            missing = symbol->name;
    }
    if (!missing) return ART_OK;
    for (size_t i = 0; i < lib->n_symbols; i++) set_pointer(table, &lib->symbols[i], NULL);
    dlclose(so);
    return arti_fail(err, lib->code, 0, "%s: %s: it has no %s", path, lib->unfit, missing);
}
