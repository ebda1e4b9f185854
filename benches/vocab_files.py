"""The bytes of a tokenizer's tokens, from the files that tokenizers come in.

    read_vocabulary("model.gguf")      GGUF, with or without weights: byte-level BPE, SentencePiece with byte fallback
    read_vocabulary("tekken.json")     Mistral's Tekken

Control tokens and unused slots are b"". Needs gguf for GGUF files.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # GGUF's token types


def byte_level() -> dict[str, int]:
    """The characters by which byte-level BPE writes bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


def read_vocabulary(path: str | Path) -> tuple[list[bytes], int]:
    """The bytes of each token id, and the id that ends an output."""
    return _tekken(Path(path)) if str(path).endswith(".json") else _gguf(Path(path))


def _gguf(path: Path) -> tuple[list[bytes], int]:
    from gguf import GGUFReader

    fields = GGUFReader(path).fields

    def value(name: str) -> Any:
        return fields[f"tokenizer.ggml.{name}"].contents()

    pieces = fields["tokenizer.ggml.tokens"]
    kinds = fields["tokenizer.ggml.token_type"]
    table = byte_level() if value("model") == "gpt2" else None
    tokens = []
    for piece, kind in zip(pieces.data, kinds.data, strict=True):
        tokens.append(_bytes(bytes(pieces.parts[piece]).decode(), int(kinds.parts[kind][0]), table))
    return tokens, int(value("eos_token_id"))


def _bytes(text: str, kind: int, table: dict[str, int] | None) -> bytes:
    if kind in (UNKNOWN, CONTROL, UNUSED):
        return b""
    if kind == BYTE:
        found = re.fullmatch("<0x([0-9A-F]{2})>", text)
        assert found, text
        return bytes([int(found[1], 16)])
    if kind == USER_DEFINED and (table is None or any(char not in table for char in text)):
        return text.replace("\u2581", " ").encode()
    if table:
        return bytes(table[char] for char in text)
    return text.replace("\u2581", " ").encode()


def _tekken(path: Path) -> tuple[list[bytes], int]:
    document = json.loads(path.read_text(encoding="utf-8"))
    n_special = document["config"]["default_num_special_tokens"]
    size = document["config"]["default_vocab_size"]
    entries = sorted(document["vocab"], key=lambda entry: entry["rank"])[: size - n_special]
    return [b""] * n_special + [base64.b64decode(entry["token_bytes"]) for entry in entries], 2
