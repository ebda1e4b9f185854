/* SPDX-License-Identifier: Apache-2.0
 *
 * art.h: the one public header of agentrt's C core.
 *
 * Two libraries in one:
 *   constraint  art_schema -> art_constraint -> art_matcher: JSON Schema to token masks. Needs no engine.
 *   runtime     art_engine -> art_model -> art_session: decode loop, sampling, streaming. Uses the first.
 *
 * Ownership   `_new`, `_compile`, `_open` and `_load` give the caller one reference, which the matching `_free`
 *             drops; `_free(NULL)` does nothing. An object keeps what it was made from alive, so handles may be
 *             freed in any order. Pointers described as "lent" stay valid until the next call on the same object.
 * Errors      Functions that can fail return art_status. `err` may be NULL; it is written on failure only.
 *             `*out` is set to NULL first and to the new object on success only.
 * Threads     art_schema, art_vocab, art_constraint and art_model may be shared by any number of threads.
 *             art_matcher and art_session belong to one thread at a time; art_session_cancel() is the exception.
 * Strings     are UTF-8 with an explicit byte length unless a parameter says "NUL-terminated".
 *
 * The declarations between the CDEF markers are also what the Python binding is generated from
 * (tools/gen_ffi.py): keep them free of preprocessor directives and of expressions cffi cannot parse. */
#ifndef ART_H
#define ART_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CDEF-BEGIN */

/* ------------------------------------------------------------------ status, errors, memory */

typedef enum art_status {
    ART_OK = 0,
    ART_MORE = 1,     /* bounded work was done, nothing to report yet: call again */
    ART_DONE = 2,     /* the stream is at its end */
    ART_REJECTED = 3, /* the input is well formed but not allowed here; the object is unchanged */

    ART_E_ARG = 10,    /* a parameter is out of its documented range */
    ART_E_NOMEM = 11,  /* the allocator refused */
    ART_E_LIMIT = 12,  /* a named cap was reached; the message names it */
    ART_E_STATE = 13,  /* not possible in the object's present state */
    ART_E_BUSY = 14,   /* the object is in use by another thread */
    ART_E_FORKED = 15, /* the object was made by another process */

    ART_E_SYNTAX = 20, /* not JSON; pos is the byte offset */

    ART_E_SCHEMA = 30,        /* the schema breaks its own draft; path and keyword say where */
    ART_E_UNSUPPORTED = 31,   /* a keyword or value that this engine can not hold exactly */
    ART_E_UNSATISFIABLE = 32, /* no value fits the schema */
    ART_E_REF = 33,           /* a reference that leads nowhere */
    ART_E_PATTERN = 34,       /* a regular expression that does not parse; pos is the byte offset in it */

    ART_E_IO = 40,      /* a file can not be read or written */
    ART_E_FORMAT = 41,  /* a file is not what it claims to be */
    ART_E_ENGINE = 42,  /* the engine library is missing, refused or failed */
    ART_E_CONTEXT = 43, /* the tokens do not fit into the context */
    ART_E_CANCELLED = 44,
    ART_E_DEVICE = 45 /* no GPU, driver or compiler that can be used, or it failed */
} art_status;

typedef struct art_error {
    art_status code;
    size_t pos;       /* byte offset in the input; 0 when not applicable */
    uint32_t draft;   /* that the schema at `path` was read as: 4, 6, 7, 2019, 2020; 0 when not applicable */
    char keyword[32]; /* schema keyword, or "" ; NUL-terminated */
    char path[256];   /* JSON Pointer into the schema, cut on the left with "..." when longer; NUL-terminated */
    char msg[400];    /* NUL-terminated, names the rule that failed */
} art_error;

/* Allocator: size 0 frees, the old size is always given, NULL means out of memory. Called from whichever thread uses
 * the object. A NULL `art_alloc *` means malloc. */
typedef struct art_alloc {
    void *(*fn)(void *ud, void *ptr, size_t old_size, size_t new_size);
    void *ud;
} art_alloc;

/* A budget that many objects share: pass art_budget_alloc() as the `alloc` of all that is to stay within it together, for instance of
 * everything a process makes. A request beyond it is refused with ART_E_LIMIT (or ART_E_NOMEM where an object can not tell), and the
 * object stays usable. Lends its allocator for as long as anything allocated through it is left, even after art_budget_free(). */
typedef struct art_budget art_budget;
art_status art_budget_new(size_t max, const art_alloc *alloc, art_budget **out, art_error *err);
void art_budget_free(art_budget *b);
const art_alloc *art_budget_alloc(const art_budget *b);
size_t art_budget_used(const art_budget *b); /* bytes, by all objects */

const char *art_version(void);
const char *art_status_name(art_status s);

/* ------------------------------------------------------------------ vocabulary */

/* The tokens of one tokenizer: bytes of each id, a trie over them and the masks that follow from JSON alone. */
typedef struct art_vocab art_vocab;

/* bytes:    all tokens' bytes, one after the other; copied.
 * offsets:  n_tokens + 1 offsets into `bytes`; token i is bytes[offsets[i]] .. bytes[offsets[i + 1]]. A token without
 *           bytes (control token, unused slot) is never allowed by a mask unless it is in eos_ids or a dialogue names it.
 * eos_ids:  tokens that end the output; allowed exactly where the constraint is complete. */
art_status art_vocab_new(const uint8_t *bytes, const uint32_t *offsets, uint32_t n_tokens, const uint32_t *eos_ids,
                         uint32_t n_eos, const art_alloc *alloc, art_vocab **out, art_error *err);
/* A vocabulary written by art_vocab_save() on a machine of the same byte order; mapped, not copied. */
art_status art_vocab_open(const char *path, const art_alloc *alloc, art_vocab **out, art_error *err);
art_status art_vocab_save(const art_vocab *v, const char *path, art_error *err);
void art_vocab_free(art_vocab *v);
uint32_t art_vocab_size(const art_vocab *v);
size_t art_vocab_memory(const art_vocab *v); /* bytes held */
/* Lends the bytes of a token (at least until the vocabulary is freed); *len 0 for one without bytes or out of range. */
const uint8_t *art_vocab_token(const art_vocab *v, uint32_t id, size_t *len);

/* ------------------------------------------------------------------ schema */

/* A parsed JSON Schema (drafts 4, 6, 7, 2019-09, 2020-12), its references resolved. Immutable for the caller. */
typedef struct art_schema art_schema;

typedef enum art_formats { ART_FORMATS_ASSERT = 0, ART_FORMATS_ANNOTATE = 1 } art_formats;

/* One entry of the registry that references out of the schema are looked up in. The meta-schemas of the drafts and their
 * vocabularies are known without one. */
typedef struct art_resource {
    const char *uri;
    size_t uri_len;
    const char *json;
    size_t json_len;
} art_resource;

typedef struct art_schema_opts { /* zero-initialise for the defaults */
    uint32_t default_draft;      /* 4, 6, 7, 2019 or 2020; 0 means 2020; "$schema" wins */
    art_formats formats;
    const art_resource *registry; /* copied */
    size_t n_registry;
    size_t memory_max; /* bytes this schema and all that is derived from it may hold; 0: ART_SCHEMA_MEMORY_DEFAULT */
} art_schema_opts;

art_status art_schema_compile(const char *json, size_t json_len, const art_schema_opts *opts, const art_alloc *alloc,
                              art_schema **out, art_error *err);
void art_schema_free(art_schema *s);
size_t art_schema_memory(const art_schema *s); /* bytes held now, lazily built tables included */
/* Why no value fits a schema: JSON Pointers of keywords that can not hold together, none of which can be missed, those that lie deepest
 * in the value first; each followed by a zero byte. In another document of the registry: its URI, '#' and the pointer. (The search is
 * bounded: beyond its caps the keywords still can not hold together, but some could perhaps be missed.) *len is the length of them all even
 * when cap is too small (then ART_E_LIMIT); 0 when it could not be told at all. ART_REJECTED: there are values that fit. */
art_status art_schema_conflict(art_schema *s, char *buf, size_t cap, size_t *len, art_error *err);

typedef struct art_survey {
    uint32_t draft;        /* of the schema's root: 4, 6, 7, 2019, 2020 */
    size_t n_places;       /* schema objects that can be reached */
    size_t n_parts;        /* combinations of them that are asked of one value */
    size_t n_alternatives; /* of these, by JSON type */
    size_t n_states;       /* of the automata of patterns and formats */
    size_t memory;         /* bytes that the schema holds with all that */
    int is_complete;       /* 0: there is more than ART_SURVEY_PARTS_MAX */
} art_survey;

/* Looks at everything that a schema can lead to, ahead of any output: for people who write schemas. findings[0 .. min(cap, *n_findings) - 1]:
 * ART_E_UNSATISFIABLE, a schema object that no value fits (as an optional member it is never offered); any other status, a part
 * that will be refused when an output gets there. */
art_status art_schema_survey(art_schema *s, art_survey *out, art_error *findings, size_t cap, size_t *n_findings,
                             art_error *err);
/* ART_OK: the document fits. ART_REJECTED: it does not, err->pos is the first byte that no valid document has there.
 * ART_E_SYNTAX is not used here: text that is not JSON is ART_REJECTED as well. */
art_status art_schema_validate(art_schema *s, const uint8_t *json, size_t len, art_error *err);

/* ------------------------------------------------------------------ constraint and matcher */

/* What may be written: a schema's JSON text, or a dialogue. Immutable for the caller; caches grow inside, bounded. */
typedef struct art_constraint art_constraint;

typedef enum art_order { ART_ORDER_ANY = 0, ART_ORDER_SCHEMA = 1 } art_order;
/* Whitespace between JSON tokens: any, none ("compact"), or 1 + n for at most n characters in a row.
 * ART_WS_SPACED is the spelling of Python's json.dumps, which chat models were trained on: masks, art_matcher_allows() and
 * art_matcher_forced() hold to exactly one space after ',' and ':' and none elsewhere, and to integers without fraction
 * and exponent; art_matcher_accept() and _accept_bytes() take what ART_WS_COMPACT + 1 takes, so that a shortest completion,
 * which is compact, can be written too. */
typedef enum art_whitespace { ART_WS_ANY = 0, ART_WS_COMPACT = 1, ART_WS_SPACED = 0x10000 } art_whitespace;

typedef struct art_constraint_opts { /* zero-initialise for the defaults */
    art_order property_order;
    uint32_t whitespace;     /* art_whitespace, or 1 + the most characters in a row */
    size_t cache_memory_max; /* bytes for memoised masks and transitions; 0: ART_CACHE_MEMORY_DEFAULT */
} art_constraint_opts;

/* vocab may be NULL: then only the byte functions of the matcher work. ART_E_UNSATISFIABLE when no value fits. A part that outputs can get to
 * and that can not be held to refuses the constraint (ART_E_UNSUPPORTED, ART_E_LIMIT), as far as that is found within bounded work. */
art_status art_constraint_new(art_schema *schema, art_vocab *vocab, const art_constraint_opts *opts,
                              const art_alloc *alloc, art_constraint **out, art_error *err);
void art_constraint_free(art_constraint *c);
size_t art_constraint_memory(const art_constraint *c);

/* A dialogue: one assistant turn of a chat model. Free text, or calls, or a value:
 *
 *     turn      = [reasoning] ( text | [text] calls | value | calls )
 *     reasoning = reasoning_open ... reasoning_close
 *     calls     = begin call { separator call } end          (SmolLM2: one list)
 *               | begin call end { between begin call end }   (Hermes; when `separator` is empty)
 *     call      = name_prefix NAME args_prefix ARGUMENTS call_suffix
 *
 * ART_CHOICE_AUTO is all of that (with a value: calls or the value, without text), ART_CHOICE_REQUIRED only calls,
 * ART_CHOICE_NONE only text (or the value). Between reasoning and calls or a value there may be up to ART_DIALOG_GAP_MAX whitespace
 * characters. All strings are bytes that are written literally. `begin` in free text always starts a call, however it is spelled: by its
 * control token, by other tokens, split over tokens or in the middle of one. Text that could not be followed by a call (ART_CHOICE_NONE) can
 * not contain it. Control tokens are never part of text or reasoning. */
typedef struct art_str {
    const char *ptr;
    size_t len;
} art_str;

typedef enum art_choice {
    ART_CHOICE_AUTO = 0,     /* text, or calls */
    ART_CHOICE_REQUIRED = 1, /* calls */
    ART_CHOICE_NONE = 2      /* text (or the value) */
} art_choice;

typedef struct art_dialog_tool {
    art_str name;
    art_constraint *args; /* a schema constraint over the same vocabulary; kept alive by the dialogue */
} art_dialog_tool;

typedef struct art_dialog_spec { /* copied; zero-initialise */
    art_str begin, name_prefix, args_prefix, call_suffix, separator, between, end;
    int32_t begin_token; /* token id of `begin` when it is one control token, else -1; 0 means "not set" as well */
    int32_t end_token;
    art_str reasoning_open, reasoning_close; /* empty: no reasoning */
    const art_dialog_tool *tools;
    size_t n_tools;
    uint32_t calls_max; /* in one turn; 0: ART_DIALOG_CALLS_DEFAULT */
    art_choice choice;
    art_constraint *value; /* when set, the turn's answer is this value instead of free text */
} art_dialog_spec;

art_status art_constraint_dialog(const art_dialog_spec *spec, art_vocab *vocab, const art_alloc *alloc,
                                 art_constraint **out, art_error *err);

/* One output being written. Functions that return art_status give ART_E_BUSY, and the others -1 or SIZE_MAX, when another thread is in a
 * call on the same matcher. */
typedef struct art_matcher art_matcher;

art_status art_matcher_new(art_constraint *c, art_matcher **out, art_error *err);
art_status art_matcher_copy(const art_matcher *m, art_matcher **out, art_error *err);
void art_matcher_free(art_matcher *m);
art_status art_matcher_reset(art_matcher *m);

/* Masks, art_matcher_allows() and art_matcher_forced() lead to numbers that are finite as IEEE doubles, unless the schema demands larger
 * ones; art_matcher_accept() and _accept_bytes() take all that fit.
 *
 * Bit (i % 32) of words[i / 32] is set when token i may come next. n_words >= ceil(n_tokens / 32); bits past the last
 * token are cleared. *n_allowed (may be NULL): 0, 1 or 2; 2 stands for "two or more". 0 only after the end. */
art_status art_matcher_fill_mask(art_matcher *m, uint32_t *words, size_t n_words, uint32_t *n_allowed, art_error *err);
/* ART_OK or ART_REJECTED; about a microsecond, no mask is computed. */
art_status art_matcher_allows(art_matcher *m, uint32_t token);
/* ART_OK, or ART_REJECTED with the matcher unchanged. Accepting an end-of-sequence token ends the output. */
art_status art_matcher_accept(art_matcher *m, uint32_t token);
/* Feeds bytes one by one; *n_accepted of them were taken. ART_REJECTED when that is fewer than len. Counts as one step
 * for rollback when any were taken. */
art_status art_matcher_accept_bytes(art_matcher *m, const uint8_t *bytes, size_t len, size_t *n_accepted);
/* Undoes the last n accepts. ART_E_ARG when there were fewer (or more than ART_ROLLBACK_MAX ago). */
art_status art_matcher_rollback(art_matcher *m, size_t n);
/* The bytes that every valid continuation begins with, at most cap of them; *len is how many were written. Optional whitespace and
 * escaped spellings of the same characters are left out of account. */
art_status art_matcher_forced(art_matcher *m, uint8_t *buf, size_t cap, size_t *len);
int art_matcher_is_complete(art_matcher *m);    /* end of sequence allowed now */
int art_matcher_is_closed(art_matcher *m);      /* complete, and nothing but whitespace or end of sequence may follow */
int art_matcher_is_ended(const art_matcher *m); /* an end-of-sequence token was accepted */
/* Why the last call on the matcher failed (with a status of 10 or more that has no err of its own). Returns that status, or ART_OK. */
art_status art_matcher_error(const art_matcher *m, art_error *err);
/* A shortest valid way to finish from here. *len is its length even when cap is too small (then ART_E_LIMIT). */
art_status art_matcher_shortest(art_matcher *m, uint8_t *buf, size_t cap, size_t *len);
/* Length in bytes of the shortest completion; 0 when complete. Cheap enough for every token. */
size_t art_matcher_shortest_len(art_matcher *m);

/* What the bytes of the last accept were. Spans cover them in order. */
typedef enum art_span_kind {
    ART_SPAN_TEXT = 0,
    ART_SPAN_REASONING = 1,
    ART_SPAN_MARKUP = 2, /* markers and the fixed parts of a call: not shown to anybody */
    ART_SPAN_NAME = 3,
    ART_SPAN_ARGS = 4,
    ART_SPAN_VALUE = 5,
    ART_SPAN_CALL_START = 6, /* empty span: the name is complete, `tool` is set */
    ART_SPAN_CALL_END = 7    /* empty span: the arguments are complete */
} art_span_kind;

typedef struct art_span {
    uint32_t kind;       /* art_span_kind */
    uint32_t tool;       /* index into the dialogue's tools; for ARGS, CALL_START, CALL_END. Else UINT32_MAX */
    uint32_t start, len; /* bytes within the last accept */
} art_span;

/* Lends the spans of the last accept. Text that may still turn out to be the beginning of a marker is MARKUP only once
 * the marker is whole: such bytes are held back, and reported as TEXT by a later accept when it was none, in which case
 * `art_matcher_held` bytes of earlier accepts precede this accept's own (start counts from the first held byte). */
const art_span *art_matcher_spans(const art_matcher *m, size_t *n);
size_t art_matcher_held(const art_matcher *m);

/* ------------------------------------------------------------------ masks of a batch */

/* Threads that fill the masks of many matchers at once. They sleep between calls. */
typedef struct art_mask_pool art_mask_pool;

/* n_threads: with the caller's own; 1: no others; 0: art_cpu_count(). */
art_status art_mask_pool_new(uint32_t n_threads, const art_alloc *alloc, art_mask_pool **out, art_error *err);
void art_mask_pool_free(art_mask_pool *p); /* no other thread may be inside */
uint32_t art_mask_pool_threads(const art_mask_pool *p);
/* Row i, n_words words from words + i * stride on, becomes the mask of matchers[i]; all ones where that is NULL. n_allowed (may be
 * NULL): as art_matcher_fill_mask() says, for each. No matcher may be listed twice. When some fail, the first one's status is
 * returned, *failed_at (may be NULL; else SIZE_MAX) is its index, and the other rows are filled. ART_E_BUSY: another call is going on. */
art_status art_mask_pool_fill(art_mask_pool *p, art_matcher *const *matchers, size_t n, uint32_t *words, size_t stride,
                              size_t n_words, uint32_t *n_allowed, size_t *failed_at, art_error *err);

/* ------------------------------------------------------------------ samplers */

typedef struct art_bias {
    uint32_t token;
    float bias; /* added to the logit; -INFINITY bans the token */
} art_bias;

typedef struct art_sample_params { /* art_sample_defaults() fills it; docs/sampling.md defines what is drawn */
    float temperature;             /* 0: greedy */
    int32_t top_k;                 /* 0: off */
    float top_p;                   /* 1: off */
    float min_p;                   /* 0: off */
    float repetition_penalty;      /* 1: off */
    float frequency_penalty;       /* 0: off */
    float presence_penalty;        /* 0: off */
    uint32_t penalty_last_n;       /* how many of the transcript's last tokens the penalties look at */
    uint64_t seed;
    const art_bias *bias; /* copied */
    size_t n_bias;
} art_sample_params;

void art_sample_defaults(art_sample_params *p);
/* Index of the largest of n finite or -INF logits among those whose mask bit is set (mask NULL: all); ties go to the
 * smallest id. -1 when nothing is allowed or a NaN was met. */
int64_t art_argmax(const float *logits, size_t n, const uint32_t *mask);

/* ------------------------------------------------------------------ engine */

/* What agentrt needs of an inference library. `self` is the vtable's own handle for a model or a context. */
typedef struct art_engine_caps {
    uint32_t n_vocab;
    uint32_t n_ctx_train;
    int32_t bos, eos, eot;      /* -1: none */
    uint32_t can_copy : 1;      /* kv_copy between contexts */
    uint32_t can_save : 1;      /* state_save and state_load */
    uint32_t can_drop : 1;      /* kv_drop to any length; without it only to 0 */
    uint32_t can_abort : 1;     /* a running eval can be aborted */
    uint32_t many_contexts : 1; /* several contexts of one model */
    uint32_t add_bos : 1;       /* a prompt begins with bos */
} art_engine_caps;

typedef struct art_context_params {
    uint32_t n_ctx;     /* tokens; 0: what the model was trained with, capped by ART_N_CTX_DEFAULT */
    uint32_t n_batch;   /* most tokens in one eval; 0: ART_N_BATCH_DEFAULT */
    uint32_t n_threads; /* 0: physical cores this process may use, see art_cpu_count() */
} art_context_params;

typedef struct art_engine {
    uint32_t abi; /* ART_ENGINE_ABI */
    const char *name;
    void (*model_free)(void *model);
    art_status (*model_caps)(void *model, art_engine_caps *caps, art_error *err);
    /* Writes up to cap ids, *n is the number there are. special: control tokens in the text are recognised. */
    art_status (*tokenize)(void *model, const char *text, size_t len, int special, int32_t *ids, size_t cap, size_t *n,
                           art_error *err);
    /* Bytes that a token adds to the text; 0 for control tokens unless `special`. Same buffer rule as tokenize. */
    art_status (*token_bytes)(void *model, int32_t id, int special, uint8_t *buf, size_t cap, size_t *len);
    int (*token_is_eog)(void *model, int32_t id);
    int (*token_is_control)(void *model, int32_t id);
    /* Metadata value for a GGUF key (NUL-terminated); *len 0 when absent. */
    art_status (*meta)(void *model, const char *key, char *buf, size_t cap, size_t *len);
    art_status (*ctx_new)(void *model, const art_context_params *p, void **ctx, art_error *err);
    void (*ctx_free)(void *ctx);
    uint32_t (*ctx_size)(void *ctx);
    /* Evaluates 0 < n <= n_batch tokens at position n_past (everything at and after n_past is dropped first). Logits of the
     * last one are lent by `logits` until the next call on the context. On an error nothing at or after n_past is held. */
    art_status (*eval)(void *ctx, const int32_t *ids, size_t n, size_t n_past, art_error *err);
    const float *(*logits)(void *ctx);
    art_status (*kv_drop)(void *ctx, size_t n_past, art_error *err);
    art_status (*kv_copy)(void *dst_ctx, void *src_ctx, size_t n_tokens, art_error *err);
    size_t (*state_size)(void *ctx);
    art_status (*state_save)(void *ctx, uint8_t *buf, size_t cap, size_t *len, art_error *err);
    art_status (*state_load)(void *ctx, const uint8_t *buf, size_t len, size_t n_tokens, art_error *err);
    /* A running eval calls fn(ud) now and then, on the thread that runs eval, and returns ART_E_CANCELLED soon after it said
     * non-zero. NULL when the library can not do that (caps.can_abort). */
    void (*set_abort)(void *ctx, int (*fn)(void *ud), void *ud);
} art_engine;

/* ------------------------------------------------------------------ model */

typedef struct art_model art_model;

typedef struct art_model_params { /* art_model_defaults() fills it */
    int32_t n_gpu_layers;         /* 0: none, -1: all */
    uint32_t n_ctx;          /* engines whose model and context are one (ctransformers): its size; others ignore it */
    uint32_t use_mmap : 1;   /* default 1 */
    uint32_t vocab_only : 1; /* tokenizer only: no session can be made */
} art_model_params;

void art_model_defaults(art_model_params *p);

/* Takes over `handle` (also on failure). Builds nothing: the vocabulary is made on first use. */
art_status art_model_new(const art_engine *engine, void *handle, const art_alloc *alloc, art_model **out,
                         art_error *err);
void art_model_free(art_model *m);
const char *art_model_engine(const art_model *m); /* the vtable's name */
art_status art_model_caps(art_model *m, art_engine_caps *caps, art_error *err);
/* One reference to the vocabulary, for art_vocab_free(); built at the first call. */
art_status art_model_vocab(art_model *m, art_vocab **out, art_error *err);
art_status art_model_tokenize(art_model *m, const char *text, size_t len, int special, int32_t *ids, size_t cap,
                              size_t *n, art_error *err);
art_status art_model_token_bytes(art_model *m, int32_t id, int special, uint8_t *buf, size_t cap, size_t *len,
                                 art_error *err);
art_status art_model_meta(art_model *m, const char *key, char *buf, size_t cap, size_t *len, art_error *err);

/* ------------------------------------------------------------------ llama.cpp */

/* libllama, opened at run time. Stays mapped until the process ends, as its threads and devices can not be unloaded safely. */
typedef struct art_llama art_llama;

/* lib_path:    libllama.so; its own dependencies are found beside it.
 * backend_dir: folder of ggml's backend libraries, for builds that load them at run time; NULL: the folder of lib_path.
 * Sets OMP_WAIT_POLICY=passive in the environment when it is unset: OpenMP's spinning threads make a busy machine ten times
 * slower. That has no effect when the program has loaded OpenMP before. ART_E_ENGINE when the library can not be loaded or is not of
 * a layout that is known; open one library only once at a time, as its log has one destination. */
art_status art_llama_open(const char *lib_path, const char *backend_dir, const art_alloc *alloc, art_llama **out,
                          art_error *err);
void art_llama_free(art_llama *l);
const char *art_llama_version(const art_llama *l); /* "" when the library does not say */

typedef struct art_device {
    char name[32];
    char description[96];
    uint32_t is_gpu;
    uint32_t reserved;
    uint64_t memory_free, memory_total; /* bytes; 0: unknown */
} art_device;

/* Devices found so far. all: load the backends of every kind of device first, which takes 0.1 to 1 s with a GPU; else only the
 * processor's are. */
art_status art_llama_devices(art_llama *l, int all, art_device *devices, size_t cap, size_t *n, art_error *err);
/* Takes whole lines out of the log ("E:", "W:", "I:" or "D:" before each, LF after each); *len 0 when there are none. Lines that did not
 * fit into ART_LLAMA_LOG_BYTES since the last call are lost, oldest first. Any thread. */
void art_llama_log(art_llama *l, char *buf, size_t cap, size_t *len);
/* ART_E_IO, ART_E_FORMAT (with the byte offset in pos) or ART_E_ENGINE; the message names the file. */
art_status art_llama_model_load(art_llama *l, const char *path, const art_model_params *p, const art_alloc *alloc,
                                art_model **out, art_error *err);

/* ------------------------------------------------------------------ ctransformers */

/* libctransformers 0.2.27 (2023, frozen): llama and falcon GGUF files with their output tensor, and GGML files of 2023. */
typedef struct art_ctransformers art_ctransformers;

art_status art_ctransformers_open(const char *lib_path, const art_alloc *alloc, art_ctransformers **out,
                                  art_error *err);
void art_ctransformers_free(art_ctransformers *c);
const char *art_ctransformers_variant(void); /* "avx2", "avx" or "basic": the best folder for this processor */
/* model_type: "llama", "gpt2", "falcon", ...; NULL or "": from the file, which must be a GGUF then. */
art_status art_ctransformers_model_load(art_ctransformers *c, const char *path, const char *model_type,
                                        const art_model_params *p, const art_alloc *alloc, art_model **out,
                                        art_error *err);

/* ------------------------------------------------------------------ session */

typedef struct art_session art_session;

typedef enum art_stop {
    ART_STOP_NONE = 0,
    ART_STOP_EOS = 1,      /* the model ended its turn */
    ART_STOP_STRING = 2,   /* a stop string was met; it is not part of the text */
    ART_STOP_LENGTH = 3,   /* max_tokens */
    ART_STOP_COMPLETE = 4, /* the constraint admits nothing more */
    ART_STOP_CANCELLED = 5,
    ART_STOP_CONTEXT = 6 /* the context is full */
} art_stop;

typedef struct art_generate_params { /* art_generate_defaults() fills it */
    art_sample_params sample;
    uint32_t max_tokens;  /* of new tokens; 0: until the context is full */
    const art_str *stops; /* stop strings, copied */
    size_t n_stops;
    art_matcher *matcher;  /* taken over by the session, also when starting fails; NULL: unconstrained */
    uint32_t flush_ms;     /* text deltas are joined for this long before an event; 0: one event a token */
    uint32_t poll_ms;      /* least time between two calls of poll; default 50 */
    int (*poll)(void *ud); /* called on the session's thread while an engine works; non-zero cancels. NULL: none */
    void *poll_ud;
    uint32_t close_early : 1;  /* with a matcher: start closing while the remaining tokens still cover it (default 1) */
    uint32_t fast_forward : 1; /* append forced tokens in one batch (default 1) */
} art_generate_params;

void art_generate_defaults(art_generate_params *p);

typedef enum art_event_kind {
    ART_EV_TEXT = 1,
    ART_EV_REASONING = 2,
    ART_EV_CALL_START = 3, /* tool; data is its name */
    ART_EV_CALL_ARGS = 4,  /* tool; data is a piece of the arguments' JSON */
    ART_EV_CALL_END = 5,   /* tool */
    ART_EV_DONE = 6        /* stop */
} art_event_kind;

typedef struct art_event {
    uint32_t kind;     /* art_event_kind */
    uint32_t tool;     /* index into the dialogue's tools */
    uint32_t stop;     /* art_stop */
    uint32_t n_tokens; /* new tokens since the last event */
    const char *data;  /* lent, whole UTF-8 characters, not NUL-terminated */
    size_t len;
} art_event;

typedef struct art_usage {
    uint32_t prompt_tokens;     /* tokens of the prompt */
    uint32_t cached_tokens;     /* of these, how many were in the KV cache already */
    uint32_t completion_tokens; /* new tokens, forced ones included */
    uint32_t forced_tokens;     /* of these, how many were appended without sampling */
    uint32_t masks_computed;    /* full masks, for diagnosis: most tokens need none */
    uint32_t reserved;
    double prefill_ms; /* inside the engine, prompt */
    double decode_ms;  /* inside the engine, after the prompt */
    double total_ms;   /* since art_session_start */
} art_usage;

art_status art_session_new(art_model *m, const art_context_params *p, const art_alloc *alloc, art_session **out,
                           art_error *err);
void art_session_free(art_session *s); /* cancels nothing: no other thread may be inside */
uint32_t art_session_n_ctx(const art_session *s);
art_status art_session_reset(art_session *s, art_error *err); /* forgets the transcript and what is cached of it */
/* Sets the transcript to ids[0..n) and prepares generation after it. What the KV cache holds of a common prefix is kept.
 * ART_E_CONTEXT when n does not fit (nothing is lost then). No evaluation happens here. */
art_status art_session_start(art_session *s, const int32_t *ids, size_t n, const art_generate_params *p,
                             art_error *err);
/* Does bounded work: at most one prefill batch or one token. ART_OK: *ev holds an event. ART_MORE: call again.
 * ART_DONE: *ev is ART_EV_DONE (also when called again). */
art_status art_session_next(art_session *s, art_event *ev, art_error *err);
/* Any thread, any time: the running or next art_session_next ends with ART_STOP_CANCELLED. Cleared by the next start. */
void art_session_cancel(art_session *s);
/* Lends the transcript: prompt and generated tokens. */
const int32_t *art_session_tokens(const art_session *s, size_t *n);
void art_session_usage(const art_session *s, art_usage *u);
/* Copies the KV cache's first n tokens (as far as both hold them) from another session of the same model. */
art_status art_session_fork(art_session *dst, art_session *src, size_t n, art_error *err);
art_status art_session_save(art_session *s, uint8_t *buf, size_t cap, size_t *len, art_error *err);
art_status art_session_load(art_session *s, const uint8_t *buf, size_t len, art_error *err);

/* ------------------------------------------------------------------ CUDA */

/* NVIDIA's driver, opened at run time; it stays mapped until the process ends. One object serves all devices and threads. Every
 * failure of the driver, a device or the compiler is ART_E_DEVICE. */
typedef struct art_cuda art_cuda;

typedef struct art_cuda_device {
    char name[96];
    uint32_t major, minor; /* compute capability */
    uint32_t n_sm;         /* multiprocessors */
    uint32_t reserved;
    uint64_t memory_total; /* bytes */
} art_cuda_device;

/* driver_path: NULL means libcuda.so.1, as the system finds it. */
art_status art_cuda_open(const char *driver_path, const art_alloc *alloc, art_cuda **out, art_error *err);
void art_cuda_free(art_cuda *c);
uint32_t art_cuda_driver_version(const art_cuda *c); /* the newest CUDA it serves: 12040 is 12.4 */
uint32_t art_cuda_device_count(const art_cuda *c);
art_status art_cuda_device_info(const art_cuda *c, uint32_t device, art_cuda_device *out, art_error *err);

/* Machine code for one device, and how it came to be. */
typedef struct art_cuda_code art_cuda_code;

typedef struct art_cuda_file { /* a source, or a header that it includes by this name; NUL-terminated */
    const char *name;
    const char *text;
} art_cuda_file;

/* NVRTC's version (12040 is 12.4) and the newest architecture it knows (90 is 9.0; 0 when it does not say). */
art_status art_nvrtc_version(const char *path, uint32_t *version, uint32_t *arch_max, art_error *err);
/* Compiles files[0]; the others are its headers. options: NUL-terminated. as_ptx: PTX, else machine code. log (may be NULL) gets the
 * compiler's messages, NUL-terminated and cut at log_cap, also on failure. */
art_status art_nvrtc_compile(const char *path, const art_cuda_file *files, size_t n_files, const char *const *options,
                             size_t n_options, int as_ptx, const art_alloc *alloc, char *log, size_t log_cap,
                             art_cuda_code **out, art_error *err);
/* PTX to machine code by the driver's own compiler. */
art_status art_cuda_assemble(art_cuda *c, uint32_t device, const uint8_t *ptx, size_t len, char *log, size_t log_cap,
                             art_cuda_code **out, art_error *err);
const uint8_t *art_cuda_code_bytes(const art_cuda_code *code, size_t *len);
void art_cuda_code_free(art_cuda_code *code);

/* What kernels are for. They are compiled (with -DART_CUDA_PART= this number) and loaded in parts, each when it is first needed. */
typedef enum art_cuda_part {
    ART_CUDA_FOR_SAMPLE = 0, /* + art_cuda_dtype: art_cuda_sample() */
    ART_CUDA_FOR_MASKS = 3,  /* art_cuda_apply_masks() */
    ART_CUDA_FOR_ROWS = 4    /* art_cuda_batch_new(), art_cuda_batch_set() */
} art_cuda_part;

/* Gives a device a part of its kernels (copied). ART_E_FORMAT when they are damaged, of another part, or for another device. Once they
 * are there, more calls do nothing. Not while a stream is being captured. Calls whose kernels are not there are ART_E_STATE. */
art_status art_cuda_load(art_cuda *c, uint32_t device, uint32_t part, const uint8_t *code, size_t len, art_error *err);
int art_cuda_is_loaded(art_cuda *c, uint32_t device, uint32_t part);
/* 1 while work given to the stream is recorded into a graph; 0; or -1 when the driver does not know the stream. */
int art_cuda_is_capturing(art_cuda *c, uint32_t device, uint64_t stream);

/* Waits until the device has done all that it was given. Not while a stream is captured. */
art_status art_cuda_synchronize(art_cuda *c, uint32_t device, art_error *err);
/* Makes what is given to `then` from now on wait for what was given to `first` before. */
art_status art_cuda_order(art_cuda *c, uint32_t device, uint64_t first, uint64_t then, art_error *err);
/* The device whose memory an address is in. ART_E_ARG: none. */
art_status art_cuda_device_of(art_cuda *c, uint64_t address, uint32_t *device, art_error *err);

/* Memory on a device, for results. Freed memory serves later arrays of the same stream. */
typedef struct art_cuda_array art_cuda_array;
art_status art_cuda_array_new(art_cuda *c, uint32_t device, uint64_t stream, size_t n_bytes, art_cuda_array **out,
                              art_error *err);
art_cuda_array *art_cuda_array_ref(art_cuda_array *a); /* one more reference */
void art_cuda_array_free(art_cuda_array *a);           /* any thread; calls no driver function */
uint64_t art_cuda_array_address(const art_cuda_array *a);

/* Sampling parameters of a batch of rows, in a device's memory, with what the kernels need beside them: counters of steps, histories
 * for the penalties, room to work in. Prepared once; a step then queues one or two kernels and nothing else, so that it can be captured
 * into a graph whose replays go on by themselves: every call draws each row's number `step` and adds one to it. Calls on one batch are
 * queued one after the other; they must be ordered on the device too (one stream, or events), as they share its memory. */
typedef struct art_cuda_batch art_cuda_batch;

typedef struct art_cuda_row_params { /* zero-initialise; art_sample_defaults() for `sample` */
    art_sample_params sample;        /* penalty_last_n counts at most history_max tokens */
    uint64_t step;                   /* draws made before */
    const int32_t *history;          /* the transcript's last tokens, for the penalties; copied */
    size_t n_history;
} art_cuda_row_params;

/* bias_max: most biases of one row. history_max: most tokens of one row that the penalties look at, 0 without penalties. All rows are
 * greedy until they are set. Waits for the device. */
art_status art_cuda_batch_new(art_cuda *c, uint32_t device, uint32_t n_rows, uint32_t n_vocab, uint32_t bias_max,
                              uint32_t history_max, art_cuda_batch **out, art_error *err);
void art_cuda_batch_free(art_cuda_batch *b); /* waits for the device */
/* Gives rows first .. first + n new parameters, in the stream's order. Biases and histories are copied from ordinary memory, which
 * can not be captured and may wait for the stream; without them nothing waits. */
art_status art_cuda_batch_set(art_cuda_batch *b, uint32_t first, uint32_t n, const art_cuda_row_params *rows,
                              uint64_t stream, art_error *err);
/* The counters, uint64_t a row. A reference, for art_cuda_array_free(). */
art_cuda_array *art_cuda_batch_steps(const art_cuda_batch *b);

typedef enum art_cuda_dtype { ART_CUDA_FLOAT32 = 0, ART_CUDA_FLOAT16 = 1, ART_CUDA_BFLOAT16 = 2 } art_cuda_dtype;

typedef struct art_cuda_call { /* addresses are of the device's memory where nothing else is said */
    uint64_t logits;           /* n_rows rows of n_vocab elements */
    int64_t logits_stride;     /* elements from row to row */
    uint64_t
        masks; /* n_masks rows of ceil(n_vocab / 32) words; 0: everything is allowed. Device or pinned host memory */
    int64_t masks_stride; /* words */
    uint64_t
        mask_rows; /* int32_t a row: the mask that holds for it, or a negative number: everything is allowed, and no mask
                                * is read. 0: mask i for row i. Device or pinned host memory */
    uint64_t ids;  /* out: int32_t a row, or int64_t; negative: ART_CUDA_EMPTY ... */
    uint64_t logprobs;      /* out: float a row; NaN where there is no token */
    uint64_t stream;        /* CUstream */
    uint32_t device, dtype; /* dtype: art_cuda_dtype */
    uint32_t n_rows, n_vocab, n_masks;
    uint32_t ids_64;
    uint32_t keep_steps; /* 1: the batch's counters and histories stay as they are */
    uint64_t step;       /* added to the counters for this call */
} art_cuda_call;

/* Instead of a token. */
typedef enum art_cuda_row_error {
    ART_CUDA_EMPTY = -1,  /* nothing is allowed */
    ART_CUDA_NAN = -2,    /* a NaN or +infinity among the logits */
    ART_CUDA_INVALID = -3 /* mask_rows leads nowhere, or a parameter is out of its range */
} art_cuda_row_error;

/* Queues the choice of one token a row (docs/sampling.md) and returns. The call's n_rows may be less than the batch's. Masks in host
 * memory are copied on the stream, only those that mask_rows asks for when that is in host memory too; they must not change before the
 * copy is done. ART_E_ARG names the address that is not what it should be. */
art_status art_cuda_sample(art_cuda_batch *b, const art_cuda_call *call, art_error *err);
/* Queues the writing of -infinity over the logits that are not allowed. ids and logprobs are not used. Masks in host memory are read in
 * place. */
art_status art_cuda_apply_masks(art_cuda *c, const art_cuda_call *call, art_error *err);

/* ------------------------------------------------------------------ DLPack */

/* A tensor of another library, as far as agentrt looks at tensors. */
typedef struct art_tensor {
    uint64_t address; /* of the first element */
    int32_t device_type, device_id;
    uint32_t code, bits, lanes; /* DLDataType */
    int32_t ndim;
    int64_t shape[4], strides[4]; /* elements */
    uint32_t is_read_only;
} art_tensor;

/* Reads a DLManagedTensor, or a DLManagedTensorVersioned. ART_E_UNSUPPORTED for another major version, or more than four dimensions. */
art_status art_dlpack_read(const void *managed, int is_versioned, art_tensor *out, art_error *err);
void art_dlpack_free(void *managed, int is_versioned); /* calls its deleter */
/* A managed tensor over n_bytes at offset of an array, of which it holds a reference. Its deleter may run on any thread. */
art_status art_dlpack_new(art_cuda_array *a, size_t offset, uint32_t device, uint32_t code, uint32_t bits, int64_t n,
                          int is_versioned, void **managed, art_error *err);

/* Physical cores this process may run on (affinity and cgroup quota), less the load others put on them; at least 1. */
uint32_t art_cpu_count(void);

/* CDEF-END */

/* ------------------------------------------------------------------ limits */

#define ART_ENGINE_ABI 1u

#define ART_SCHEMA_BYTES_MAX (16u << 20)             /* of one schema document */
#define ART_SCHEMA_DEPTH_MAX 512u                    /* nesting of a schema document, and of a validated one */
#define ART_SCHEMA_MEMORY_DEFAULT ((size_t)64 << 20) /* schema and everything derived from it */
#define ART_SURVEY_PARTS_MAX 20000u
#define ART_CACHE_MEMORY_DEFAULT ((size_t)32 << 20) /* memoised masks and transitions of one constraint */
#define ART_VOCAB_TOKENS_MAX (1u << 22)
#define ART_TOKEN_LEN_MAX 65535u /* bytes */
#define ART_ROLLBACK_MAX 4096u   /* accepts that can be undone */
#define ART_DIALOG_CALLS_DEFAULT 8u
#define ART_DIALOG_CALLS_MAX 1024u
#define ART_DIALOG_TOOLS_MAX 4096u
#define ART_DIALOG_STR_MAX 1024u /* bytes of each string of a dialogue, and of a tool's name */
#define ART_DIALOG_GAP_MAX 8u
#define ART_MASK_THREADS_MAX 64u
#define ART_N_CTX_DEFAULT 4096u
#define ART_N_BATCH_DEFAULT 512u
#define ART_LLAMA_LOG_BYTES 65536u /* of engine log kept until it is asked for */
#define ART_STOPS_MAX 16u          /* stop strings of one request */
#define ART_STOP_LEN_MAX 256u      /* bytes of each */
#define ART_BIAS_MAX 65536u        /* biased tokens of one request */
#define ART_CUDA_ROWS_MAX 8192u    /* rows of one batch on a GPU */

#ifdef __cplusplus
}
#endif
#endif
