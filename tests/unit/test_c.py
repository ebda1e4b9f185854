"""The C tests and the fuzzers' corpora, built with ASan and UBSan and run by CTest."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*args: str, timeout: float = 900) -> str:
    done = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{' '.join(args)}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
    return done.stdout


def build(name: str, *options: str) -> Path:
    """Configures and builds a variant in build/NAME; a second run only builds what changed."""
    if not (ROOT / "CMakeLists.txt").exists():
        pytest.skip("not a source tree")
    if not shutil.which("cmake") or not shutil.which("cc"):
        pytest.skip("cmake and a C compiler are needed")
    folder = ROOT / "build" / name
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    run("cmake", "-S", ".", "-B", str(folder), *generator, "-DART_WERROR=ON", *options)
    run("cmake", "--build", str(folder), "--parallel", str(os.cpu_count() or 1))
    return folder


def ctest(folder: Path) -> str:
    return run("ctest", "--test-dir", str(folder), "--output-on-failure", "--no-tests=error")


@pytest.mark.timeout(1200)
def test_c_tests_and_fuzz_corpora_under_sanitizers() -> None:
    out = ctest(
        build("c-sanitized", "-DART_TESTS=ON", "-DART_FUZZ=ON", "-DART_SANITIZE=address,undefined",
              "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    )  # fmt: skip
    assert "100% tests passed" in out


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("c-thread", ["-DART_SANITIZE=thread"]),
        ("c-portable", ["-DART_SIMD=OFF"]),
        ("c-stress", ["-DART_STRESS=ON", "-DART_SANITIZE=address,undefined"]),
        ("c-cxx", ["-DART_CXX_CHECK=ON"]),
    ],
)
def test_c_variants(name: str, options: list[str]) -> None:
    assert "100% tests passed" in ctest(build(name, "-DART_TESTS=ON", *options))
