"""The GPU kernels' source: what nvcc makes of it, and a million random rows of it on the CPU.

NVRTC compiles it in test_cuda.py; a shorter run of the same rows is among the C tests. Nothing here needs a device.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_c import build, run

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "csrc" / "cuda" / "art_cuda_kernels.cu"


def nvcc() -> str:
    path = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if path is None:
        pytest.skip("nvcc is not installed")
    return path


@pytest.mark.parametrize(
    "arch", ["sm_90", *(pytest.param(arch, marks=pytest.mark.slow) for arch in ("sm_75", "sm_80", "sm_100"))]
)
def test_what_the_compiler_makes_of_the_kernels(arch: str, tmp_path: Path) -> None:
    """Two blocks of art_sample_* fit a multiprocessor, and what reads a tile spills next to nothing."""
    out = tmp_path / "kernels.cubin"
    done = subprocess.run(
        [nvcc(), "-std=c++17", f"-arch={arch}", "-Xptxas", "-v", "-cubin", "-o", str(out), str(KERNELS)],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    if "Unsupported gpu architecture" in done.stderr:
        pytest.skip(f"this nvcc does not know {arch}")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    entries = re.findall(r"entry function '(\w+)'.*?Used (\d+) registers", done.stderr, re.DOTALL)
    registers = {name: int(used) for name, used in entries}
    assert len(registers) == 7
    spills = dict(re.findall(r"properties for (\S+)\s.*?(\d+) bytes spill loads", done.stderr))
    for dtype in ("f32", "f16", "bf16"):
        assert registers[f"art_sample_{dtype}"] <= 64
        assert registers[f"art_masks_{dtype}"] <= 64
        assert int(spills[f"art_sample_{dtype}"]) <= 256  # around calls
        for tile in ("5weigh", "12find_allowed", "10find_drawn", "7collect", "13summarise_any", "10load_group"):
            loads = [int(n) for name, n in spills.items() if f"{tile}I" in name and f"type_{dtype}E" in name]
            assert loads, f"{tile} of {dtype} is not there"
            assert max(loads) <= 64


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["", "_small"])
@pytest.mark.parametrize("sanitize", ["", "address,undefined"])
def test_a_million_random_rows(kind: str, sanitize: str) -> None:
    options = [f"-DART_SANITIZE={sanitize}", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"]
    folder = build("cuda-sanitized" if sanitize else "cuda", "-DART_TESTS=ON", *options)
    program = folder / f"test_cuda_sample{kind}"
    if not program.exists():
        pytest.skip("no C++ compiler")
    run(str(program), "1000000", "20240229", timeout=3000)
    run(str(folder / f"test_cuda_draws{kind}"), "20000", timeout=3000)
