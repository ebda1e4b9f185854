"""Write what benches/native/bench_masks.c reads: a vocabulary file and schemas with tokenised valid instances.

    python benches/mask_cases.py CORPUS.jsonl.gz TOKENIZER OUT_FOLDER [schemas]

CORPUS holds lines {name, schema, tests: [{valid, data}]}, as the public half of maskbench does; TOKENIZER is a file
that vocab_files.py reads. Instances are cut into tokens greedily, longest first: not what the tokenizer would
do, but tokens of the same sizes.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

from vocab_files import read_vocabulary

from agentrt import Vocab


def cut(text: bytes, ids: dict[bytes, int], longest: int) -> list[int]:
    out, at = [], 0
    while at < len(text):
        size = next(n for n in range(min(longest, len(text) - at), 0, -1) if text[at : at + n] in ids)
        out.append(ids[text[at : at + size]])
        at += size
    return out


def main() -> None:
    corpus, tokenizer, folder, *rest = sys.argv[1:]
    limit = int(rest[0]) if rest else 0
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    tokens, eos = read_vocabulary(tokenizer)
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
