"""Options of the benches."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--n-gpu-layers", type=int, default=0, help="bench_decode: layers of the model on the GPU; -1: all (default: 0)"
    )
