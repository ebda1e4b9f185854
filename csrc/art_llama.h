/* SPDX-License-Identifier: Apache-2.0
 *
 * art_llama.h: the llama.cpp engine (private to csrc; art_llama_* is public, see art.h).
 *
 * Purpose   libllama behind the art_engine vtable, without its headers: one agentrt binary works with many builds of it.
 * Owns      art_llama: the opened library and its log; counted references, one a model. A model owns its llama_model, a context its
 *           llama_context and batch.
 * Threads   one context belongs to one thread at a time; model loading is serialised; the log may be read from any thread.
 * Errors    ART_E_ENGINE for the library's own failures, with the first error line of its log; files are checked by art_gguf.h first.
 * Limits    contexts hold one sequence. Log lines are cut at LINE_MAX_ bytes.
 *
 * Layouts. llama.cpp inserts fields into the middle of its parameter structs every few weeks. They are handled as blobs of 1 KiB that
 * start as the library's defaults; only fields whose place has not moved are touched, and only when the defaults found there are the
 * expected ones. Returning and passing a larger struct than the callee knows is sound where structs of this size travel in memory:
 * x86-64 System V copies the argument to the stack, AArch64 and Win64 pass a pointer to a copy; the result is written through a pointer
 * that the caller gives. What was set is read back from the context afterwards. */
#ifndef ART_LLAMA_H
#define ART_LLAMA_H

#include "art.h"

extern const art_engine arti_llama_engine;

#endif
