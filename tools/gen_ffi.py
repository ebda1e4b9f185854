"""Generate agentrt/_ffi.cdef.txt and agentrt/_ffi.c from csrc/art.h.

    python tools/gen_ffi.py            write both files
    python tools/gen_ffi.py --check    exit 1 when the committed files differ

Needs cffi. The generated C is committed, so that building agentrt needs only a C compiler; which cffi
version wrote it does not matter at run time.
"""

import re
import sys
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "csrc" / "art.h"
CDEF = ROOT / "agentrt" / "_ffi.cdef.txt"
SOURCE = ROOT / "agentrt" / "_ffi.c"


def declarations() -> str:
    """What stands between the CDEF markers of art.h, without comments."""
    text = HEADER.read_text(encoding="utf-8")
    body = text.split("/* CDEF-BEGIN */", 1)[1].split("/* CDEF-END */", 1)[0]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return re.sub(r"\n\s*\n+", "\n", body).strip() + "\n"


# Functions that C calls and Python defines (agentrt/model.py).
CALLBACKS = 'extern "Python" int agentrt_poll(void *);\n'
# What agentrt/_capsule.h and agentrt/_matcher.h define: the only C that knows Python's objects.
OBJECTS = (
    "void *agentrt_capsule_take(uintptr_t, int *);\n"
    "int agentrt_capsule_give(uintptr_t, void *, int);\n"
    "int agentrt_calls_add(uintptr_t);\n"
)
INCLUDES = '#include "art.h"\n#include "_capsule.h"\n#include "_matcher.h"'


def c_source(cdef: str) -> str:
    ffi = cffi.FFI()
    ffi.cdef(cdef + CALLBACKS + OBJECTS)
    ffi.set_source("agentrt._ffi", INCLUDES, py_limited_api=True)
    out = ROOT / "build" / "_ffi.c"
    out.parent.mkdir(exist_ok=True)
    out.unlink(missing_ok=True)
    ffi.emit_c_code(str(out))
    return out.read_text(encoding="utf-8")


def main() -> int:
    cdef = declarations()
    wanted = {CDEF: cdef, SOURCE: c_source(cdef)}
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for p in stale:
            print(f"{p.relative_to(ROOT)} is not what csrc/art.h says: run python tools/gen_ffi.py")
        return 1 if stale else 0
    for p in stale:
        p.write_text(wanted[p], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
