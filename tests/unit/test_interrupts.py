"""Ctrl-C ends the command line with status 130 and without a traceback, wherever it strikes.

A process interrupts itself where a sitecustomize module says, or tells a pipe that it is there and is interrupted then:
nothing is timed. What Python does before the package is loaded is not looked at.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("agentrt")

# kind and name of the place: WHERE. It is told to the file descriptor REACHED.
STRIKES = """
import atexit, os, signal, sys, threading

kind, _, name = os.environ["WHERE"].partition(" ")

def reached():
    os.write(int(os.environ["REACHED"]), b"!")

def strike():
    reached()
    os.kill(os.getpid(), signal.SIGINT)

def at_event(event, args):
    if event == kind and args and args[0] == name:
        strike()

def in_callback(frame, event, arg):
    global inside
    code = frame.f_code
    inside = inside or code.co_filename.endswith("cli.py")
    if inside and event == "call" and code.co_name == "cb" and "importlib" in code.co_filename:
        sys.setprofile(None)
        strike()

class Last:
    def __del__(self, write=os.write, into=int(os.environ["REACHED"]), kill=os.kill, me=os.getpid()):
        write(into, b"!")
        kill(me, 2)

def outlive():
    threading.main_thread().join()
    reached()
    threading.Event().wait()

if kind == "callback":
    inside = False
    sys.setprofile(in_callback)
elif kind == "thread":
    threading.Thread(target=outlive).start()
elif kind == "atexit":
    if name == "early":
        sys.addaudithook(lambda event, args: event == "import" and args[0] == "agentrt.cli" and atexit.register(strike))
    else:
        atexit.register(strike)
elif kind == "teardown":
    last = Last()
else:
    sys.addaudithook(at_event)
"""  # fmt: skip


@pytest.fixture
def start(tmp_path):
    """Starts a command that is interrupted at a place; its pipe says when it is there."""
    (tmp_path / "sitecustomize.py").write_text(STRIKES)
    (tmp_path / "schema.json").write_text('{"type": "integer", "minimum": 7}')
    started = []

    def run(where: str, *command: str, **options: Any) -> "tuple[subprocess.Popen[str], int]":
        reader, writer = os.pipe()
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "WHERE": where, "REACHED": str(writer)},
            pass_fds=(writer,),
            **options,
        )
        os.close(writer)
        started.append((process, reader))
        return process, reader

    yield run
    for process, pipe in started:
        process.kill()
        process.communicate()
        os.close(pipe)


def agentrt(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agentrt", *arguments]


def end_of(started: "tuple[subprocess.Popen[str], int]") -> tuple[int, str, str]:
    process, reader = started
    out, err = process.communicate(timeout=60)
    assert os.read(reader, 1) == b"!", f"it never got there: {err}"
    return process.returncode, out, err


CHECK = ("schema", "check", "schema.json")


@pytest.mark.parametrize(
    ("where", "arguments"),
    [
        ("import agentrt.cli", CHECK),
        ("import agentrt.errors", CHECK),
        ("open schema.json", CHECK),
        ("import agentrt._schema_check", CHECK),
        ("import msgspec", CHECK),
        ("import agentrt._ffi", CHECK),
        ("callback", CHECK),
        ("import agentrt.model", ("run", "?")),
        ("import agentrt.model", ("chat",)),
        ("import agentrt.models", ("models",)),
        ("import agentrt.engines", ("engines",)),
        ("import agentrt._bench", ("bench",)),
        ("import agentrt.cli", ("--help",)),
    ],
)
def test_while_it_loads(start, where, arguments):
    assert end_of(start(where, *agentrt(*arguments), stdin=subprocess.DEVNULL)) == (130, "", "\n")


def test_the_command_that_is_installed(start):
    if not SCRIPT.exists():
        pytest.skip("the command is not installed")
    assert end_of(start("import agentrt.cli", str(SCRIPT), *CHECK)) == (130, "", "\n")


def test_while_it_waits(start, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    process, _ = start("nowhere", *agentrt("schema", "check", "fifo"))
    with (tmp_path / "fifo").open("w"):  # which waits until it is read
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "\n")


@pytest.mark.parametrize("arguments", [CHECK, ("--help",), ("nonsense",)])
def test_while_its_threads_are_waited_for(start, arguments):
    process, reader = start("thread", *agentrt(*arguments))
    assert os.read(reader, 1) == b"!"
    for _ in range(100):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):  # one just before Python begins to wait ends nothing
            _, err = process.communicate(timeout=0.5)
            break
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("where", ["atexit early", "atexit late", "teardown"])
@pytest.mark.parametrize(("arguments", "status"), [(CHECK, 0), (("nonsense",), 2)])
def test_at_its_end(start, where, arguments, status):
    ended, out, err = end_of(start(where, *agentrt(*arguments)))
    assert ended == (130 if where == "atexit early" else status)
    assert "Traceback" not in err
    assert ("shortest:  7" in out) == (status == 0)


def test_in_the_background_of_a_shell(start):
    """A shell starts such a command with SIGINT ignored."""
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for where in ("import agentrt.cli", "import agentrt._schema_check", "atexit early", "teardown"):
        status, out, err = end_of(start(where, *agentrt(*CHECK), **ignored))
        assert (status, err) == (0, "")
        assert "shortest:  7" in out
