"""Generate csrc/art_metaschema_data.h: the meta-schemas of drafts 4, 6, 7, 2019-09 and 2020-12 with their vocabularies.

    python tools/gen_metaschemas.py            write the file
    python tools/gen_metaschemas.py --check    exit 1 when the committed file differs

The documents are taken from the package `jsonschema-specifications` (MIT), which carries those of the JSON Schema
specification (BSD 3-clause or AFL 3.0; csrc/LICENSE.json-schema). They are minified and otherwise left as published.
"""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

import jsonschema_specifications

DATA = Path(__file__).resolve().parent.parent / "csrc" / "art_metaschema_data.h"
LITERAL_MAX = 4095  # bytes of a string literal that every C11 compiler takes
LINE = 110


def documents() -> list[tuple[str, str]]:
    """Addresses without fragment, and minified texts; sorted."""
    registry = jsonschema_specifications.REGISTRY
    found = {uri.rstrip("#"): registry.contents(uri) for uri in registry if "draft-03" not in uri}
    return sorted((uri, json.dumps(doc, separators=(",", ":"))) for uri, doc in found.items())


def c_literal(text: str) -> str:
    """The text as string literals of one line each, broken behind commas."""
    lines = [""]
    for piece in re.findall("[^,]*,?", text):
        quoted = piece.replace("\\", "\\\\").replace('"', '\\"')
        if len(lines[-1]) + len(quoted) > LINE:
            lines.append("")
        lines[-1] += quoted
    return "\n     ".join(f'"{line}"' for line in lines)


def header() -> str:
    version = importlib.metadata.version("jsonschema-specifications")
    lines = [
        "/* SPDX-License-Identifier: BSD-3-Clause",
        " *",
        " * Written by tools/gen_metaschemas.py; do not edit. The meta-schemas of the JSON Schema standard, minified.",
        " * Copyright (c) 2022 JSON Schema Specification Authors, see LICENSE.json-schema.",
        f" * From jsonschema-specifications {version}. */",
        "",
        "static const metaschema metaschemas[] = { /* sorted by address */",
    ]
    for uri, text in documents():
        if not text.isascii() or len(text) > LITERAL_MAX:
            raise SystemExit(f"{uri}: no plain literal")
        lines.append(f'    {{"{uri}", {len(uri)}, {len(text)},\n     {c_literal(text)}}},')
    return "\n".join([*lines, "};"]) + "\n"


def main() -> int:
    text = header()
    if "--check" in sys.argv[1:]:
        if DATA.read_text(encoding="utf-8") == text:
            return 0
        print(f"{DATA.name} is not what the package has: run python tools/gen_metaschemas.py")
        return 1
    DATA.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
