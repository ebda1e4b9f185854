"""What does agentrt add to the model's own time for a token?

The default model, one thread, greedy. Measured: the wall time of a generation after its start, less the time inside
the engine, divided by the new tokens: sampling, constraint, text, events, Python. Once unconstrained, and under a
schema whose tables are warm. The figures are in `extra_info`. Asserted: below 0.1 ms in the best round, which needs a
machine that has nothing else to do, as the time that other processes take counts too. Not measured: compiling a schema,
prefill.

    pytest benches/bench_decode.py --benchmark-only

With --n-gpu-layers N (-1: all) the model is on a GPU, which takes a libllama with a GPU backend (docs/engines.md), and
tokens per second stand beside the figures; compare with a run without it.

    pytest benches/bench_decode.py --benchmark-only --n-gpu-layers -1
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

import agentrt

ORDER = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "maxLength": 40},
        "priority": {"enum": ["low", "normal", "high"]},
        "items": {
            "type": "array",
            "minItems": 2,
            "maxItems": 4,
            "items": {
                "type": "object",
                "properties": {
                    "product": {"type": "string", "maxLength": 30},
                    "quantity": {"type": "integer", "minimum": 1, "maximum": 99},
                    "sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
                },
                "required": ["product", "quantity", "sku"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["customer", "priority", "items"],
    "additionalProperties": False,
}
PROMPT = [{"role": "user", "content": "Write an order of office supplies as JSON."}]


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest) -> Iterator[agentrt.Model]:
    layers = request.config.getoption("--n-gpu-layers")
    with agentrt.load(os.environ.get("AGENTRT_TEST_MODEL"), n_ctx=1024, n_threads=1, n_gpu_layers=layers) as loaded:
        yield loaded


@pytest.mark.parametrize("kind", ["free", "schema"])
def test_time_beside_the_engines(benchmark: Any, model: agentrt.Model, kind: str) -> None:
    options: dict[str, Any] = {"schema": ORDER} if kind == "schema" else {}
    model.generate(PROMPT, max_tokens=150, **options)
    beside: list[float] = []
    speeds: list[float] = []

    def generate() -> None:
        with model.stream(PROMPT, max_tokens=150, **options) as stream:
            begin = time.perf_counter()
            for _ in stream:
                pass
            wall = (time.perf_counter() - begin) * 1e3
        usage = stream.usage
        beside.append((wall - usage.prefill_ms - usage.decode_ms) / usage.completion_tokens)
        speeds.append(1e3 * usage.completion_tokens / wall)

    benchmark.pedantic(generate, rounds=5, iterations=1, warmup_rounds=1)
    benchmark.extra_info["ms_per_token_beside_engine_least"] = round(min(beside), 4)
    benchmark.extra_info["ms_per_token_beside_engine_median"] = round(statistics.median(beside), 4)
    benchmark.extra_info["tokens_per_second_median"] = round(statistics.median(speeds), 1)
    assert min(beside) < 0.1
