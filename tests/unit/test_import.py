"""Importing agentrt is cheap and silent, and stays so. What is counted does not depend on how busy the machine is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROBE = """
import json, os, sys
def pages():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1])
before, start = set(sys.modules), pages()
{}
threads = len(os.listdir("/proc/self/task"))
print(json.dumps([sorted(set(sys.modules) - before), (pages() - start) * os.sysconf("SC_PAGESIZE"), threads]))
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

# AsyncStream is for programs that have asyncio already.
EVERYTHING = 'import agentrt; [getattr(agentrt, name) for name in agentrt.__all__ if name != "AsyncStream"]'


def probe(statement: str) -> "tuple[list[str], int, int]":
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    modules, n_bytes, threads = json.loads(done.stdout)
    return modules, n_bytes, threads


def test_the_package_alone():
    modules, n_bytes, threads = probe("import agentrt")
    assert {"msgspec", "_cffi_backend", "inspect", "json", "threading"}.isdisjoint(modules)
    assert len(modules) < 40
    assert n_bytes < 2 << 20
    assert threads == 1


def test_all_of_it():
    modules, n_bytes, threads = probe(EVERYTHING)
    heavy = {"asyncio", "jinja2", "numpy", "ctypes", "rich", "multiprocessing", "urllib.request", "ssl", "cffi"}
    assert heavy.isdisjoint(modules)
    assert len(modules) < 180
    assert n_bytes < 20 << 20
    assert threads == 1


def test_what_an_agent_program_imports():
    modules, n_bytes, _ = probe("import agentrt; agentrt.Agent, agentrt.load, agentrt.tool")
    assert {"hashlib", "logging", "subprocess", "tempfile", "zipfile", "json"}.isdisjoint(modules)
    assert n_bytes < 10 << 20


def test_the_agent_without_a_model():
    modules, n_bytes, _ = probe("from agentrt import Agent, tool; import agentrt.testing")
    assert "agentrt._ffi" not in modules
    assert "agentrt.model" not in modules
    assert n_bytes < 10 << 20


def test_every_public_name_is_there():
    import agentrt

    for name in agentrt.__all__:
        assert getattr(agentrt, name) is not None
    assert set(agentrt.__all__) <= set(dir(agentrt))
    with pytest.raises(AttributeError, match="nothing"):
        agentrt.nothing  # noqa: B018
    named = {name for names in agentrt._HOME.values() for name in names} | {"__version__", "testing"}
    assert named == set(agentrt.__all__)
