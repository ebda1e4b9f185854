"""Convert a llama-architecture GGUF file of today to one that ctransformers 0.2.27 (2023) loads as well as libllama
does.

    python tools/convert_ctransformers.py IN.gguf OUT.gguf [--type f32|f16]

What is changed:
- tensors are dequantised to F32 (or F16 for matrices): with F32 the two engines give the same greedy tokens;
- `output.weight` is written out where a model ties it to its embeddings;
- byte-level BPE tokens (GPT-2's printable alphabet) become the raw bytes that the engine of 2023 expects, and get
  scores by merge rank, as its tokenizer merges by score; control tokens keep their spelling.

Needs the packages gguf and numpy.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np

_DROPPED = {"tokenizer.ggml.pre", "tokenizer.ggml.add_space_prefix", "general.file_type"}
_NORMAL, _CONTROL = 1, 3


def byte_of_char() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(b): b for b in printable}
    rest = [b for b in range(256) if b not in set(printable)]
    table.update({chr(0x100 + i): b for i, b in enumerate(rest)})
    return table


def field_value(field: Any) -> Any:
    """A metadata value as Python has it; strings stay bytes."""
    kind = field.types[0]
    if kind == gguf.GGUFValueType.ARRAY:
        parts = [field.parts[i] for i in field.data]
        if field.types[1] == gguf.GGUFValueType.STRING:
            return [bytes(part) for part in parts]
        return [part.tolist()[0] for part in parts]
    part = field.parts[field.data[0]]
    return bytes(part) if kind == gguf.GGUFValueType.STRING else part.tolist()[0]


def vocabulary(reader: gguf.GGUFReader) -> tuple[list[bytes], list[float], list[int]]:
    """Tokens as raw bytes, scores and types."""
    texts = field_value(reader.fields["tokenizer.ggml.tokens"])
    n = len(texts)
    types_field = reader.fields.get("tokenizer.ggml.token_type")
    types = field_value(types_field) if types_field else [_NORMAL] * n
    scores_field = reader.fields.get("tokenizer.ggml.scores")
    if field_value(reader.fields["tokenizer.ggml.model"]) != b"gpt2":
        return texts, field_value(scores_field) if scores_field else [0.0] * n, types
    table = byte_of_char()
    tokens = [
        text if kind != _NORMAL else bytes(table[c] for c in text.decode())
        for text, kind in zip(texts, types, strict=True)
    ]
    rank: dict[bytes, int] = {}
    for i, merge in enumerate(field_value(reader.fields["tokenizer.ggml.merges"])):
        rank.setdefault(merge.replace(b" ", b"", 1), i)
    scores = [-float(rank.get(text, 0 if len(text.decode()) == 1 else n)) for text in texts]
    return tokens, scores, types


def convert(source: Path, target: Path, matrix_type: str = "f32") -> None:
    reader = gguf.GGUFReader(source)
    architecture = field_value(reader.fields["general.architecture"]).decode()
    if architecture != "llama":
        raise SystemExit(f"{source}: the architecture is {architecture}, only llama can be converted")
    writer = gguf.GGUFWriter(target, architecture)
    tokens, scores, types = vocabulary(reader)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in _DROPPED or name == "general.architecture":
            continue
        if name in ("tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
            continue
        kind = field.types[0]
        value = field_value(field)
        if kind == gguf.GGUFValueType.ARRAY:
            writer.add_array(name, value)
        else:
            writer.add_key_value(name, value, kind)
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)

    tensors = {tensor.name: tensor for tensor in reader.tensors}
    names = list(tensors)
    if "output.weight" not in tensors:
        tensors["output.weight"] = tensors["token_embd.weight"]
        names.append("output.weight")
    for name in names:
        tensor = tensors[name]
        data = gguf.dequantize(tensor.data, tensor.tensor_type)
        wide = data.ndim == 1 or matrix_type == "f32"
        data = data.astype(np.float32 if wide else np.float16)
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--type", choices=("f32", "f16"), default="f32", help="of matrices")
    args = parser.parse_args(argv)
    convert(args.source, args.target, args.type)
    return 0


if __name__ == "__main__":
    sys.exit(main())
