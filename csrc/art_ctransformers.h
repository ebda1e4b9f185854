/* SPDX-License-Identifier: Apache-2.0
 *
 * art_ctransformers.h: the ctransformers engine (private to csrc; art_ctransformers_* is public, see art.h).
 *
 * Purpose   libctransformers 0.2.27 behind the art_engine vtable. Frozen in 2023, it still runs llama- and falcon-architecture
 *           GGUF files and GGML files of its time, also on processors without AVX2.
 * Owns      art_ctransformers: the opened library, counted references. A model owns its llm and what is read from the file itself:
 *           the library knows neither metadata nor control tokens.
 * Threads   model and context are one object in this library: one session a model. Tokenising is pure.
 * Errors    the library says nothing but NULL, and a line on standard error at best; GGUF files are looked into for the reason.
 * Limits    no copy, no save, no abort. It writes past its context without a word: positions are checked here. */
#ifndef ART_CTRANSFORMERS_H
#define ART_CTRANSFORMERS_H

#include "art.h"

extern const art_engine arti_ctransformers_engine;

#endif
