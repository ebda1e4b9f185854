/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_dl.h"
#include <dlfcn.h>

typedef struct table {
    int before;
    int (*twice)(int);
    int (*absent)(int);
    int (*thrice)(int);
    int after;
} table;

static bool is_mapped(void) {
    void *so = dlopen(DL_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    if (so) dlclose(so);
    return so != NULL;
}

static void test_missing_library(void) {
    static const arti_dl_symbol one[] = {{"dl_twice", offsetof(table, twice), false}};
    static const arti_dl lib = {ART_E_DEVICE, "no such thing", "; look elsewhere", "unfit", one, 1};
    table t = {.before = 1, .twice = abs, .after = 2};
    art_error err;
    assert(arti_dl_open(&lib, "/nowhere/libx.so", &t, &err) == ART_E_DEVICE && err.code == ART_E_DEVICE);
    assert(strncmp(err.msg, "/nowhere/libx.so: no such thing: ", 33) == 0);
    assert(!t.twice && t.before == 1 && t.after == 2);
    assert(arti_dl_open(&lib, "/nowhere/libx.so", &t, NULL) == ART_E_DEVICE);
}

/* Optional names may be absent; of the others the first one is named, and the library is let go of. */
static void test_missing_symbols(void) {
    static const arti_dl_symbol symbols[] = {{"dl_twice", offsetof(table, twice), false},
                                             {"dl_absent", offsetof(table, absent), true},
                                             {"dl_thrice", offsetof(table, thrice), false},
                                             {"dl_not_there", offsetof(table, absent), false},
                                             {"dl_nor_this", offsetof(table, absent), false}};
    arti_dl lib = {ART_E_ENGINE, "absent", "", "not what is needed", symbols, 5};
    table t = {.before = 1, .after = 2};
    art_error err;
    assert(!is_mapped());
    assert(arti_dl_open(&lib, DL_LIBRARY, &t, &err) == ART_E_ENGINE);
    assert(strstr(err.msg, ": not what is needed: it has no dl_not_there") && !strstr(err.msg, "dl_nor_this"));
    assert(!t.twice && !t.absent && !t.thrice && t.before == 1 && t.after == 2);
    assert(!is_mapped());
    lib.n_symbols = 3;
    t.absent = abs;
    assert(arti_dl_open(&lib, DL_LIBRARY, &t, &err) == ART_OK);
    assert(t.twice(21) == 42 && t.thrice(5) == 15 && !t.absent && t.before == 1 && t.after == 2);
    assert(is_mapped());
}

int main(void) {
    test_missing_library();
    test_missing_symbols();
    return 0;
}
