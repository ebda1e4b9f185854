/* SPDX-License-Identifier: Apache-2.0
 *
 * art_dialog_impl.h: what the files of dialogues share (private to art_dialog*.c).
 *
 *   art_dialog.c      the constraint: specification to literals, markers and tools
 *   art_dialog_run.c  one turn being written */
#ifndef ART_DIALOG_IMPL_H
#define ART_DIALOG_IMPL_H

#include "art_dialog.h"
#include "art_mem.h"

enum {            /* literals; a set of them is a bit mask */
       LIT_OPEN,  /* reasoning_open */
       LIT_BEGIN, /* begin name_prefix */
       LIT_SEP,   /* call_suffix separator name_prefix */
       LIT_END,   /* call_suffix end */
       LIT_MORE,  /* between begin name_prefix */
       LIT_COUNT
};
#define BIT(lit) (1u << (lit))
#define NO_TOKEN UINT32_MAX

typedef struct literal {
    const uint8_t *p;
    uint32_t len;
    uint32_t token; /* control token that stands for token_len bytes at token_at; NO_TOKEN: none */
    uint32_t token_at, token_len;
} literal;

typedef struct marker { /* a string that is looked for in running text */
    const uint8_t *p;
    uint32_t len;
    uint32_t *fail;   /* len + 1: longest proper border of each prefix */
    uint32_t *inside; /* ids of tokens that contain the whole marker */
    uint32_t n_inside;
} marker;

typedef struct dialog_tool {
    const uint8_t *p; /* name args_prefix */
    uint32_t len, name_len;
    uint32_t index; /* as the caller counts */
    art_constraint *args;
    const uint8_t *shortest; /* arguments */
    size_t shortest_len;
} dialog_tool;

typedef struct dialog {
    art_constraint base;
    arti_mem mem;
    arti_arena arena;
    literal lit[LIT_COUNT];
    marker begin, close;
    dialog_tool *tools; /* sorted by bytes */
    uint32_t n_tools, calls_max;
    bool is_list, has_calls, has_text;
    art_constraint *value;
    const uint8_t *value_shortest;
    size_t value_shortest_len;
    uint64_t key; /* of everything that decides what may follow arguments */
} dialog;

static inline bool arti_dialog_is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* run_new of a dialogue's operations (art_run.h). */
art_status arti_dialog_run_new(art_constraint *c, bool embedded, arti_run **out, art_error *err);

#endif
