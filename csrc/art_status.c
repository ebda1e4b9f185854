/* SPDX-License-Identifier: Apache-2.0 */
#include "art.h"

const char *art_version(void) {
    return ART_VERSION_STRING;
}

const char *art_status_name(art_status s) {
    switch (s) {
    case ART_OK: return "ok";
    case ART_MORE: return "more";
    case ART_DONE: return "done";
    case ART_REJECTED: return "rejected";
    case ART_E_ARG: return "argument out of range";
    case ART_E_NOMEM: return "out of memory";
    case ART_E_LIMIT: return "limit reached";
    case ART_E_STATE: return "not possible in this state";
    case ART_E_BUSY: return "in use by another thread";
    case ART_E_FORKED: return "made by another process";
    case ART_E_SYNTAX: return "not JSON";
    case ART_E_SCHEMA: return "not a schema";
    case ART_E_UNSUPPORTED: return "not supported";
    case ART_E_UNSATISFIABLE: return "no value fits";
    case ART_E_REF: return "reference leads nowhere";
    case ART_E_PATTERN: return "not a regular expression";
    case ART_E_IO: return "file can not be read or written";
    case ART_E_FORMAT: return "file is not what it claims to be";
    case ART_E_ENGINE: return "engine failed";
    case ART_E_CONTEXT: return "context is full";
    case ART_E_CANCELLED: return "cancelled";
    case ART_E_DEVICE: return "no device, or it failed";
    }
    return "unknown status";
}
