"""A bare decode loop: a captured CUDA graph, and the masks of the next step filled while the model runs.

    pip install torch
    python examples/torch_decode_loop.py            on the GPU where there is one, else on the processor
    python examples/torch_decode_loop.py --cpu --batch 16

A step has two halves. `forward` turns the batch's last tokens into logits; `choose` puts masks over the logits and
picks the next tokens. A token is known when `choose` is done, and its row's mask is needed only for the next `choose`:
so `forward` is started first, and the processor accepts the tokens and fills the masks while it runs.

    GPU   choose 0 | forward 1 ............ | choose 1 | forward 2 ............ | choose 2
    CPU            | accept 0, fill masks 1 |          | accept 1, fill masks 2 |

On a GPU each half is a graph, captured once and replayed. New masks come in through one pinned buffer, which the graph
copies; new random numbers come from the step counters in agentrt's Batch, which each replay moves on. Without a GPU the
same loop calls the same halves in a thread, and torch picks the tokens.

The model is made on the spot, with random weights: every output is a value of its row's schema and means nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from agentrt import Constraint, Matcher, Schema, Vocab, cuda
from agentrt.batch import MaskPool

SCHEMAS: list[Any] = [
    {"enum": ["red", "green", "blue"]},
    {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 99}, "minItems": 4, "maxItems": 8},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"], "additionalProperties": False},
]
TEMPERATURE, TOP_P, SEED = 0.9, 0.95, 7


class TinyModel(torch.nn.Module):
    """A recurrent network: its state is one tensor of fixed shape, as a graph needs it."""

    def __init__(self, vocab: int, width: int) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(vocab, width)
        self.cell = torch.nn.GRUCell(width, width)
        self.head = torch.nn.Linear(width, vocab)

    def forward(self, ids: torch.Tensor, state: torch.Tensor, logits: torch.Tensor) -> None:
        """Write the next state and the next logits to where the last ones were.

        A row without a token (ids < 0) is noticed on the host, after this has been started.
        """
        state.copy_(self.cell(self.embed(ids.clamp(min=0)), state))
        logits.copy_(self.head(state))


class Loop:
    """What both machines share: the buffers, and the order of things."""

    def __init__(self, model: TinyModel, matchers: list[Matcher | None], vocab: int, device: torch.device) -> None:
        n, width = len(matchers), model.embed.embedding_dim
        pinned = device.type == "cuda"
        self.model, self.matchers, self.vocab = model, matchers, vocab
        self.pool = MaskPool()
        self.masks = torch.zeros(n, (vocab + 31) // 32, dtype=torch.int32, pin_memory=pinned)
        self.tokens = torch.zeros(n, dtype=torch.int64, pin_memory=pinned)  # the host's copy of ids
        self.ids = torch.zeros(n, dtype=torch.int64, device=device)
        self.logprobs = torch.zeros(n, dtype=torch.float32, device=device)
        self.state = torch.zeros(n, width, device=device)
        self.logits = torch.zeros(n, vocab, device=device)

    def start_forward(self) -> None:
        raise NotImplementedError

    def start_choose(self) -> None:
        raise NotImplementedError

    def wait_for_tokens(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Wait for what is still under way."""

    def fill(self) -> None:
        self.pool.fill(self.matchers, self.masks.numpy())

    def run(self, steps: int) -> list[list[int]]:
        """The tokens of each row, until its output has ended."""
        rows: list[list[int]] = [[] for _ in self.matchers]
        self.start_forward()
        self.fill()
        for _ in range(steps):
            self.start_choose()
            self.start_forward()  # with tokens that only the device knows yet
            self.wait_for_tokens()
            for i, token in enumerate(self.tokens.tolist()):
                matcher = self.matchers[i]
                if matcher is None:
                    continue
                if token < 0 or not matcher.accept(token):
                    raise RuntimeError(f"row {i}: {token} is no token that may come next")
                if matcher.is_ended:
                    self.matchers[i] = None
                else:
                    rows[i].append(token)
            if not any(self.matchers):
                break
            self.fill()  # the model runs meanwhile
        self.close()
        return rows


class GpuLoop(Loop):
    """Two captured graphs, on one stream."""

    def __init__(self, model: TinyModel, matchers: list[Matcher | None], vocab: int, device: torch.device) -> None:
        super().__init__(model, matchers, vocab, device)
        params = cuda.SampleParams(temperature=TEMPERATURE, top_p=TOP_P, seed=SEED)
        self.batch = cuda.prepare(params, rows=len(matchers), vocab=vocab, device=device.index or 0)
        self.stream = torch.cuda.Stream(device)
        self.chosen = torch.cuda.Event()
        self.stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self.stream):
            for half in (self._forward, self._choose):  # once outside a graph: kernels load, room is made
                half()
            self.state.zero_()
            self.ids.zero_()
        self.stream.synchronize()
        self.batch.set(params, stream=self.stream)  # back to step 0
        self.graphs = [torch.cuda.CUDAGraph() for _ in range(2)]
        for graph, half in zip(self.graphs, (self._forward, self._choose), strict=True):
            with torch.cuda.graph(graph, stream=self.stream):
                half()

    def _forward(self) -> None:
        self.model(self.ids, self.state, self.logits)

    def _choose(self) -> None:
        cuda.sample(self.logits, self.masks, self.batch, (self.ids, self.logprobs))
        self.tokens.copy_(self.ids, non_blocking=True)

    def start_forward(self) -> None:
        with torch.cuda.stream(self.stream):
            self.graphs[0].replay()

    def start_choose(self) -> None:
        with torch.cuda.stream(self.stream):
            self.graphs[1].replay()
            self.chosen.record()

    def wait_for_tokens(self) -> None:
        self.chosen.synchronize()  # tokens are here, and the masks have been read

    def close(self) -> None:
        self.stream.synchronize()


class CpuLoop(Loop):
    """The same halves in a thread, one after the other; torch and MaskPool let go of Python's lock while they work."""

    def __init__(self, model: TinyModel, matchers: list[Matcher | None], vocab: int, device: torch.device) -> None:
        super().__init__(model, matchers, vocab, device)
        self.thread = ThreadPoolExecutor(1)
        self.generator = torch.Generator().manual_seed(SEED)
        self.chosen: Future[None] | None = None
        self.forwarded: Future[None] | None = None

    @torch.inference_mode()
    def _forward(self) -> None:
        self.model(self.ids, self.state, self.logits)

    @torch.inference_mode()
    def _choose(self) -> None:
        bits = torch.arange(32, dtype=torch.int32)
        allowed = (self.masks.unsqueeze(-1) >> bits & 1).bool().view(len(self.masks), -1)[:, : self.vocab]
        p = torch.softmax(self.logits.masked_fill(~allowed, float("-inf")) / TEMPERATURE, -1)
        ranked, order = p.sort(-1, descending=True)
        ranked[ranked.cumsum(-1) - ranked >= TOP_P] = 0.0
        chosen = torch.multinomial(ranked, 1, generator=self.generator)
        self.ids.copy_(order.gather(1, chosen).squeeze(1))
        self.tokens.copy_(self.ids)

    def start_forward(self) -> None:
        self.forwarded = self.thread.submit(self._forward)

    def start_choose(self) -> None:
        self.chosen = self.thread.submit(self._choose)

    def wait_for_tokens(self) -> None:
        if self.chosen is not None:
            self.chosen.result()

    def close(self) -> None:
        if self.forwarded is not None:
            self.forwarded.result()
        self.thread.shutdown()


def make_vocab() -> tuple[Vocab, list[bytes]]:
    words = ['{"', '":', '","', '"}', "true", "false", "on", "red", "green", "blue", "10", "42", "],", "[1"]
    tokens = [*(bytes([b]) for b in range(256)), *(word.encode() for word in words), b""]
    return Vocab(tokens, eos=len(tokens) - 1), tokens


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="do not use a GPU")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--width", type=int, default=256)
    args = parser.parse_args()
    use_gpu = torch.cuda.is_available() and cuda.is_available() and not args.cpu
    device = torch.device("cuda", torch.cuda.current_device()) if use_gpu else torch.device("cpu")

    torch.manual_seed(3)
    vocab, tokens = make_vocab()
    model = TinyModel(len(tokens), args.width).to(device).requires_grad_(False)
    constraints = [Constraint(schema, vocab, whitespace="compact") for schema in SCHEMAS]
    schemas = [SCHEMAS[i % len(SCHEMAS)] for i in range(args.batch)]
    matchers: list[Matcher | None] = [constraints[i % len(SCHEMAS)].matcher() for i in range(args.batch)]
    loop = (GpuLoop if use_gpu else CpuLoop)(model, matchers, len(tokens), device)
    begin = time.perf_counter()
    rows = loop.run(args.steps)
    seconds = time.perf_counter() - begin

    unfinished = sum(matcher is not None for matcher in loop.matchers)
    wrong = 0
    for i, (schema, row) in enumerate(zip(schemas, rows, strict=True)):
        text = b"".join(tokens[t] for t in row)
        fits = loop.matchers[i] is not None or Schema(schema).validate(text)
        wrong += not fits
        if i < len(SCHEMAS) or not fits:
            print(f"{'ok   ' if fits else 'WRONG'} {text.decode(errors='replace')}")
    n = sum(map(len, rows))
    print(f"on {device}: {args.batch} rows, {n} tokens in {seconds:.2f} s; {unfinished} rows not finished")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
