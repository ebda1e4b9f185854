"""Hugging Face transformers' generate() with a constraint of its own for each row of a batch.

    pip install torch transformers
    python examples/hf_generate.py            on the GPU where there is one, else on the processor
    python examples/hf_generate.py --cpu

The model is made on the spot: random weights and a made-up vocabulary, so its answers mean nothing, but every one of
them is a value of its row's schema. With a real model, take its own tokens: `make_vocab` says how.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessor, LogitsProcessorList

from agentrt import Constraint, Schema, Vocab, cuda
from agentrt.batch import MaskPool

SCHEMAS: list[Any] = [
    {"enum": ["red", "green", "blue"]},
    {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1,
     "maximum": 30}}, "required": ["city", "days"], "additionalProperties": False},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3},
    {"type": "object", "properties": {"id": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}}, "required": ["id"],
     "additionalProperties": False},
]  # fmt: skip


class ConstraintProcessor(LogitsProcessor):
    """Holds row i of a batch to constraints[i]; None: that row is free.

    Masks are filled by the pool's threads. On a GPU the logits stay where they are, and the
    kernel reads the masks from pinned memory.
    """

    def __init__(self, constraints: list[Constraint | None], vocab: int, *, n_prompt: int, on_gpu: bool) -> None:
        self.matchers = [c.matcher() if c is not None else None for c in constraints]
        self.n_prompt = n_prompt
        self.vocab = vocab
        self.pool = MaskPool()
        self.on_gpu = on_gpu
        words = (vocab + 31) // 32
        self.masks = torch.zeros(len(constraints), words, dtype=torch.int32, pin_memory=self.on_gpu)
        self.bits = torch.arange(32, dtype=torch.int32)
        self.copied = torch.cuda.Event() if self.on_gpu else None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] > self.n_prompt:
            for i, token in enumerate(input_ids[:, -1].tolist()):
                matcher = self.matchers[i]
                if matcher is None:
                    continue
                if not matcher.accept(token):
                    raise RuntimeError(f"row {i}: token {token} is not allowed; who chose it?")
                if matcher.is_ended:  # generate() pads this row from here on
                    self.matchers[i] = None
        if self.copied is not None:
            self.copied.synchronize()  # the GPU has read the masks of the step before
        self.pool.fill(self.matchers, self.masks.numpy())
        if self.copied is not None:
            cuda.apply_masks(scores, self.masks)
            self.copied.record()
            return scores
        allowed = (self.masks.unsqueeze(-1) >> self.bits & 1).bool().view(len(self.masks), -1)[:, : self.vocab]
        return scores.masked_fill(~allowed, float("-inf"))


def make_vocab() -> tuple[Vocab, list[bytes], int]:
    """The bytes of every token id, and the end of sequence. Here: all bytes and a few words.

    A transformers tokenizer with byte-level BPE has them in `tokenizer.get_vocab()`, spelled in its own alphabet.
    """
    words = ['{"', '":', '","', '"}', "true", "false", "null", "city", "days", "Ro", "me", "Os", "lo", "red", "green"]
    tokens = [*(bytes([b]) for b in range(256)), *(word.encode() for word in words), b""]
    return Vocab(tokens, eos=len(tokens) - 1), tokens, len(tokens) - 1


def make_model(n_tokens: int, eos: int, device: torch.device) -> LlamaForCausalLM:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=n_tokens,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    return LlamaForCausalLM(config).to(device).eval()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="do not use a GPU")
    parser.add_argument("--max-new-tokens", type=int, default=60)
    args = parser.parse_args()
    use_gpu = torch.cuda.is_available() and cuda.is_available() and not args.cpu
    device = torch.device("cuda" if use_gpu else "cpu")

    vocab, tokens, eos = make_vocab()
    model = make_model(len(tokens), eos, device)
    constraints: list[Constraint | None] = [Constraint(schema, vocab, whitespace="compact") for schema in SCHEMAS]
    prompt = torch.randint(0, 256, (len(SCHEMAS), 8), device=device)
    processor = ConstraintProcessor(constraints, len(tokens), n_prompt=prompt.shape[1], on_gpu=use_gpu)
    with torch.inference_mode():
        out = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=True,
            top_k=0,
            max_new_tokens=args.max_new_tokens,
            logits_processor=LogitsProcessorList([processor]),
        )
    print(f"on {device}, {processor.pool.threads} threads for masks")
    wrong = 0
    for schema, row in zip(SCHEMAS, out[:, prompt.shape[1] :].tolist(), strict=True):
        text = b"".join(tokens[t] for t in row if t != eos)
        fits = Schema(schema).validate(text)
        wrong += not fits
        print(f"{'ok   ' if fits else 'WRONG'} {text.decode():40} {json.dumps(schema)[:60]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
