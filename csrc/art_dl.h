/* SPDX-License-Identifier: Apache-2.0
 *
 * art_dl.h: libraries that are opened at run time (private to csrc).
 *
 * Purpose   opens a shared library and fills a table of function pointers by name.
 * Owns      nothing. A library that was opened stays mapped until the process ends, as nobody knows who still uses it; one that lacks a
 *           function is closed again.
 * Threads   any number of calls at once, into different tables.
 * Errors    the library's own code (arti_dl.code): the message has the path and the loader's words, or the first name that is missing.
 *           The table's pointers are all NULL then.
 * Cost      one look-up a name. */
#ifndef ART_DL_H
#define ART_DL_H

#include "art_mem.h"
#include <stddef.h>

typedef struct arti_dl_symbol {
    const char *name;
    size_t at;        /* offset of the function pointer in the table */
    bool is_optional; /* NULL in the table when the library lacks it */
} arti_dl_symbol;

typedef struct arti_dl {
    art_status code;
    const char *absent; /* what to say when it can not be opened: "can not be loaded" */
    const char *hint;   /* after the loader's words; "" */
    const char *unfit;  /* when a name is missing: "not a libx that agentrt can use" */
    const arti_dl_symbol *symbols;
    size_t n_symbols;
} arti_dl;

art_status arti_dl_open(const arti_dl *lib, const char *path, void *table, art_error *err);

#endif
