"""The command line: what goes where, exit statuses, and no traceback for a user's mistake."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from agentrt import ModelError, cli
from agentrt.events import TextDelta
from agentrt.testing import ScriptedModel, call

ROOT = Path(__file__).parents[2]
TOOLS = str(ROOT / "examples" / "demo_tools.py")


@pytest.fixture
def say(monkeypatch):
    """Run the command line on a scripted model."""

    def run(arguments: list[str], *turns: Any) -> int:
        @contextlib.contextmanager
        def load(options: Any) -> Any:
            yield ScriptedModel(turns) if not turns or not hasattr(turns[0], "turn") else turns[0]

        monkeypatch.setattr(cli, "_load", load)
        return cli.main(arguments)

    return run


CALL = call("multiply", a=37, b=481)


def test_run_prints_the_answer_alone(say, capsys):
    assert say(["run", "37 times 481?", "--tools", TOOLS], CALL, ["It is ", "17797."]) == 0
    out, err = capsys.readouterr()
    assert out == "It is 17797.\n"
    assert err == "→ multiply(a=37, b=481)\n← 37 times 481 is 17797\n"


def test_run_quietly(say, capsys):
    assert say(["run", "?", "-q", "--tools", f"{TOOLS}:multiply"], CALL, "17797") == 0
    assert capsys.readouterr() == ("17797\n", "")


def test_run_as_json(say, capsys):
    assert say(["run", "?", "--json", "--tools", f"{TOOLS}:multiply"], CALL, "17797") == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply["text"] == "17797"
    assert reply["stop_reason"] == "stop"
    assert reply["calls"][0]["arguments"] == {"a": 37, "b": 481}
    assert reply["calls"][0]["error"] is None
    assert reply["usage"]["completion_tokens"] == 2


def test_run_with_a_schema(say, capsys, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"city": {"type": "string"}}}')
    assert say(["run", "?", "--json", "--schema", str(schema)], '{"city": "Rome"}') == 0
    assert json.loads(capsys.readouterr().out)["output"] == {"city": "Rome"}


def test_a_limit_is_told(say, capsys):
    assert say(["run", "?", "--tools", TOOLS, "--max-steps", "1"], CALL) == 0
    assert "max_steps" in capsys.readouterr().err


def test_the_question_from_standard_input(say, capsys, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe"))
    assert say(["run", "-"], "ok") == 0
    assert capsys.readouterr().out == "ok\n"


def test_chat_keeps_the_conversation(say, capsys, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo\n/reset\nthree\n/quit\nnever\n"))
    model = ScriptedModel(["1", "2", "3"])
    assert say(["chat"], model) == 0
    assert capsys.readouterr().out == "1\n2\n3\n"
    assert [len(request.messages) for request in model.requests] == [1, 3, 1]


def test_ctrl_c(say, capsys):
    class Interrupted:
        def turn(self, request: Any) -> Any:
            yield TextDelta("half")
            raise KeyboardInterrupt

    assert say(["run", "?"], Interrupted()) == 130
    assert capsys.readouterr().out == "half\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "?", "--tools", "no_such_module:f"], 2, "no_such_module"),
        (["run", "?", "--tools", "json"], 2, "json has no TOOLS"),
        (["run", "?", "--tools", "json:nothing"], 2, "nothing"),
        (["run", "?", "--tools", "/nowhere/tools.py"], 2, "/nowhere/tools.py"),
        (["run", "?", "--tool-choice", "fly"], 2, "fly"),
        (["run", "?", "--schema", "/nowhere.json"], 1, "/nowhere.json: No such file"),
        (["schema", "check", "/nowhere.json"], 1, "/nowhere.json: No such file"),
        (["models", "remove"], 2, "agentrt models lists"),
        (["models", "remove", "nothing"], 1, "nothing"),
    ],
)
def test_mistakes_are_one_line(say, capsys, arguments, status, words):
    assert say(arguments) == status
    err = capsys.readouterr().err
    assert words in err
    assert err.startswith("agentrt: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["run", "?", "--max-steps", "x"], ["schema"]])
def test_wrong_command_lines(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_what_fails_while_loading(monkeypatch, capsys):
    def load(options: Any) -> Any:
        raise ModelError("no inference engine was found: pip install 'agentrt[llama]'")

    monkeypatch.setattr(cli, "_load", load)
    assert cli.main(["run", "?"]) == 1
    assert capsys.readouterr().err == "agentrt: no inference engine was found: pip install 'agentrt[llama]'\n"


def agentrt(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "agentrt", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
        **options,
    )


def test_schema_check(tmp_path):
    good = tmp_path / "good.json"
    good.write_text('{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}')
    done = agentrt("schema", "check", str(good))
    assert done.returncode == 0, done.stderr
    assert "supported" in done.stdout
    report = json.loads(agentrt("schema", "check", str(good), "--json", "--instances", "5").stdout)
    assert json.loads(report["shortest"])["n"] >= 3
    for instance in report["instances"]:
        assert json.loads(instance)["n"] >= 3


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"properties": {"a": {"pattern": "("}}}', "/properties/a/pattern"),
        ('{"type": "integer", "minimum": 3, "maximum": 2}', "refused"),
        ('{"type": "nonsense"}', "type"),
        ("{", "line 1, column 2"),
        ('{\n "type": "string",\n "é": tru }', "line 3, column 10"),
        ("", "a value is missing"),
        ('{"minimum": 1e999, "maximum": 2, "type": "integer"}', "/minimum"),
        ('{"properties": {"\\ud800": {}}, "type": "integer", "minimum": 3, "maximum": 2}', "/maximum: 2"),
        ("[" * 2000, "nesting deeper than"),
    ],
)
def test_schema_check_refuses(schema, words):
    done = agentrt("schema", "check", "-", input=schema)
    assert done.returncode == 1
    assert words in done.stdout
    assert "Traceback" not in done.stderr


def test_schema_check_tells_what_is_wrong():
    def report(schema):
        return json.loads(agentrt("schema", "check", "-", "--json", input=json.dumps(schema)).stdout)

    none = {"type": "object", "properties": {"a": {"minimum": 5}}, "required": ["a"]}
    found = report({**none, "allOf": [{"properties": {"a": {"type": "integer", "maximum": 3}}}]})
    assert not found["supported"]
    assert found["conflict"]["/properties/a/minimum"] == "5"
    assert found["conflict"]["/allOf/0/properties/a/maximum"] == "3"
    some = {"not": {"propertyNames": {"not": {"pattern": "a"}}}}
    other = {"not": {"propertyNames": {"not": {"pattern": "b"}}}}
    found = report(
        {
            "properties": {
                "typo": {"type": "string", "minLenght": 3, "format": "color"},
                "empty": {"type": "string", "minLength": 3, "maxLength": 2},
            }
        }
    )
    assert found["supported"]
    assert found["draft"] == "2020-12"
    assert found["ignored"] == ["/properties/typo/minLenght"]
    assert found["annotations"] == ["/properties/typo/format 'color'"]
    assert found["keywords"]["type"] == 2
    assert [said.partition(":")[0] for said in found["empty"]] == ["/properties/empty/minLength"]
    assert found["parts"] > 3
    assert found["alternatives"] > 3
    assert found["memory"] > 1000
    part = {"type": "object", "allOf": [some, other], "maxProperties": 2}
    found = report({"properties": {"part": part}})
    assert not found["supported"]
    assert found["pointer"] == "/properties/part"


def test_schema_check_reads_bytes(tmp_path):
    path = tmp_path / "schema.json"
    path.write_bytes(b'\xef\xbb\xbf{"type": "integer", "minimum": 7}')
    assert "shortest:  7" in agentrt("schema", "check", str(path)).stdout
    path.write_bytes(b'\xff\xfe{"type": "integer"}')
    done = agentrt("schema", "check", str(path))
    assert done.returncode == 1
    assert "line 1, column 1" in done.stdout
    done = agentrt("schema", "check", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"agentrt: {tmp_path}: Is a directory\n"


def test_schema_check_keeps_the_terminal_unharmed():
    schema = '{"properties": {"\\u001b[31m": {"minLenght": 1}, "\\ud800": {"maxLenght": 1}}}'
    done = agentrt("schema", "check", "-", input=schema)
    assert done.returncode == 0
    assert "minLenght" in done.stdout
    assert "maxLenght" in done.stdout
    assert "\x1b" not in done.stdout
    assert len(json.loads(agentrt("schema", "check", "-", "--json", input=schema).stdout)["ignored"]) == 2


def test_schema_check_with_a_vocabulary(monkeypatch, tmp_path, capsys):
    from agentrt import Vocab, model

    asked = []

    @contextlib.contextmanager
    def load(name, **options):
        asked.append((name, options))
        vocab = Vocab([bytes([b]) for b in range(256)] + [b""], eos=256)
        yield types.SimpleNamespace(vocab=vocab)

    monkeypatch.setattr(model, "load", load)
    path = tmp_path / "schema.json"
    path.write_text('{"type": "string", "maxLength": 3}')
    assert cli.main(["schema", "check", str(path), "--model", "some.gguf", "--engine", "ctransformers"]) == 0
    assert "first mask over 257 tokens after" in capsys.readouterr().out
    assert cli.main(["schema", "check", str(path), "--model", "default"]) == 0
    assert asked == [("some.gguf", {"engine": "ctransformers"}), (None, {})]


@pytest.mark.parametrize("content", [None, b"", b"no model", b"GGUF" + bytes(60)])
def test_schema_check_with_a_wrong_model(content, tmp_path):
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    done = agentrt("schema", "check", "-", "--model", str(path), input="{}")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"agentrt: {path}: ")
    assert done.stderr.count("\n") == 1


def test_engines_and_models_need_no_model(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path), "AGENTRT_LIBLLAMA": str(tmp_path / "nothing.so")}
    os.environ.update(environment)
    try:
        engines = agentrt("engines", "--json")
        models = agentrt("models")
    finally:
        for name in environment:
            del os.environ[name]
    assert "there is no libllama" in json.loads(engines.stdout)[0]["refused"]
    assert "SmolLM2-135M-Instruct" in models.stdout
    assert "not fetched" in models.stdout


def test_a_reader_that_goes_away():
    script = f"{sys.executable} -m agentrt models | true"
    done = subprocess.run(
        ["sh", "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


ENDLESS = """
import contextlib, sys, time
from agentrt import cli
from agentrt.events import TextDelta

class Endless:
    def turn(self, request):
        while True:
            time.sleep(0.01)
            yield TextDelta("x")

@contextlib.contextmanager
def load(options):
    yield Endless()

cli._load = load
sys.exit(cli.main(["run", "?"]))
"""


def test_an_interrupt_ends_the_program_cleanly():
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == "x"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert set(out) <= {"x", "\n"}


THINKS = """
import contextlib, sys
from agentrt import cli
from agentrt.events import ReasoningDelta, TextDelta, ToolCallEnd, TurnEnd
from agentrt.messages import ToolCall, Usage

class Thinks:
    def turn(self, request):
        yield ReasoningDelta("hm")
        if len(request.messages) == 1:
            yield ToolCallEnd(ToolCall("call_1", "multiply", '{"a": 3, "b": 4}'))
        else:
            yield TextDelta("It is \\x1b[31m12.")
        yield TurnEnd("stop", Usage(10, 5, 7, 1, 10.0, 100.0, 120.0))

@contextlib.contextmanager
def load(options):
    yield Thinks()

cli._load = load
sys.exit(cli.main(["run", "?", "--tools", sys.argv[1]]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a pseudo-terminal")
def test_on_a_terminal():
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", THINKS, f"{TOOLS}:multiply"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    out = b""
    with contextlib.suppress(OSError):  # the other side was closed
        while chunk := os.read(ours, 4096):
            out += chunk
    os.close(ours)
    assert process.wait(60) == 0
    assert out.decode().splitlines() == [
        "\x1b[2mhm\x1b[0m",
        "\x1b[2m→ multiply(a=3, b=4)\x1b[0m",
        "\x1b[2m← 3 times 4 is 12\x1b[0m",
        "\x1b[2mhm\x1b[0m",
        "It is \ufffd[31m12.",
        "\x1b[2m14 tokens in 0.2 s, 70.0 tokens/s; prompt 20 tokens, 10 of them cached\x1b[0m",
    ]
