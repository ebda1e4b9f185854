"""The examples with torch: on the processor, and their ways on a GPU on a stand-in for one; the bench likewise."""

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


@pytest.mark.parametrize(
    ("program", "arguments", "wanted"),
    [
        ("examples/torch_decode_loop.py", ["--batch", "4", "--steps", "40"], "on cuda"),
        ("examples/hf_generate.py", [], "on cuda"),
        ("benches/bench_cuda.py", ["table", "--quick", "--seconds", "5"], "8 | 3000 | float32 | greedy | cold"),
        ("benches/bench_cuda.py", ["loop", "--quick", "--seconds", "5"], "a constrained step takes longer by"),
        ("benches/bench_cuda.py", ["random", "--cases", "500", "--seconds", "60"], "met    random cases, wrong: 0"),
    ],
)
def test_what_a_gpu_would_run(program: str, arguments: list[str], wanted: str, tmp_path: Path) -> None:
    for package in ("torch", "numpy", *(["transformers"] if "hf_" in program else [])):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    stand_in = ROOT / "tests" / "unit" / "_torch_on_fake_cuda.py"
    done = subprocess.run(
        [sys.executable, str(stand_in), str(tmp_path), str(ROOT / program), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{stand_in.parent}", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    # Bars are missed here, as times mean nothing.
    assert done.returncode in ((0,) if "examples" in program else (0, 3)), done.stdout + done.stderr
    assert wanted in done.stdout
    assert "Traceback" not in done.stderr
    assert "WRONG" not in done.stdout
