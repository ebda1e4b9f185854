"""Write what benches/native/bench_masks.c reads: a vocabulary file and schemas with tokenised valid instances.

    python benches/mask_cases.py CORPUS.jsonl.gz TOKENIZER.gguf OUT_FOLDER [schemas]

CORPUS holds lines {name, schema, tests: [{valid, data}]}, as the public half of maskbench does; TOKENIZER is a GGUF
with a byte-level BPE vocabulary. Instances are cut into tokens greedily, longest first: not what the tokenizer would
do, but tokens of the same sizes. Needs gguf.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

from gguf import GGUFReader

from agentrt import Vocab

NORMAL = 1


def byte_level() -> dict[str, int]:
    """The characters by which byte-level BPE writes bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


def read_tokens(path: str) -> tuple[list[bytes], int]:
    reader = GGUFReader(path)
    pieces = reader.fields["tokenizer.ggml.tokens"]
    types = reader.fields["tokenizer.ggml.token_type"]
    eos = reader.fields["tokenizer.ggml.eos_token_id"]
    table = byte_level()
    tokens = []
    for piece, kind in zip(pieces.data, types.data, strict=True):
        text = bytes(pieces.parts[piece]).decode()
        normal = int(types.parts[kind][0]) == NORMAL
        tokens.append(bytes(table[c] for c in text) if normal else b"")
    return tokens, int(eos.parts[eos.data[0]][0])


def cut(text: bytes, ids: dict[bytes, int], longest: int) -> list[int]:
    out, at = [], 0
    while at < len(text):
        size = next(n for n in range(min(longest, len(text) - at), 0, -1) if text[at : at + n] in ids)
        out.append(ids[text[at : at + size]])
        at += size
    return out


def main() -> None:
    corpus, gguf, folder, *rest = sys.argv[1:]
    limit = int(rest[0]) if rest else 0
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    tokens, eos = read_tokens(gguf)
    Vocab(tokens, eos=eos).save(out / "vocab.artv")
    ids = {token: i for i, token in enumerate(tokens) if token}
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        docs = [json.loads(line) for line in lines]
    docs.sort(key=lambda doc: hashlib.sha1((doc["name"] + ".json").encode()).digest())
    with (out / "cases.jsonl").open("w") as cases:
        for doc in docs[: limit or None]:
            texts = [json.dumps(t["data"], ensure_ascii=False).encode() for t in doc["tests"] if t["valid"]]
            case = {"schema": doc["schema"], "tests": [cut(text, ids, 24) for text in texts]}
            cases.write(json.dumps(case) + "\n")


if __name__ == "__main__":
    main()
