"""The examples with torch, on the processor: the code that a GPU runs too, but for the graphs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "needs", "n_lines"),
    [("torch_decode_loop.py", ("torch",), 5), ("hf_generate.py", ("torch", "transformers"), 5)],
)
def test_example(name: str, needs: tuple[str, ...], n_lines: int) -> None:
    for package in needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), "--cpu"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == n_lines
    assert sum(line.startswith("ok ") for line in lines) == 4
