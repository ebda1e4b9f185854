"""The command line: `agentrt run | chat | models | engines | schema check | bench`.

Answers go to standard output, everything else to standard error, so that a pipe gets the answer alone. Exit status: 0,
1 when something failed, 2 for a wrong command line, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ._version import __version__

if TYPE_CHECKING:
    from .agent import Agent
    from .messages import Message, Reply
    from .model import Model
    from .stream import Stream
    from .tools import Tool

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        return _main(argv)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    from .errors import AgentrtError, ArgumentError

    try:
        status: int = options.command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has gone; nothing may be written to the pipe at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ArgumentError as error:
        print(f"agentrt: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"agentrt: {error.filename}: {error.strerror}" if error.filename else f"agentrt: {error}", file=sys.stderr
        )
        return 1
    except (AgentrtError, ImportError) as error:
        print(f"agentrt: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentrt", description="Agents on local models.")
    parser.add_argument("--version", action="version", version=f"agentrt {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", help="answer one question")
    run.add_argument("question", help="the question; - reads it from standard input")
    run.add_argument("--schema", metavar="FILE", help="JSON Schema that the answer must fit")
    run.add_argument("--json", action="store_true", help="print the whole reply as JSON")
    _agent_options(run)
    run.set_defaults(command=_run)

    chat = commands.add_parser("chat", help="a conversation")
    _agent_options(chat)
    chat.set_defaults(command=_chat)

    models = commands.add_parser("models", help="list, fetch or remove models")
    models.add_argument("action", nargs="?", choices=("list", "fetch", "remove"), default="list")
    models.add_argument("name", nargs="?", help="of the model; fetch: the default one")
    models.add_argument("--json", action="store_true", help="print JSON")
    models.set_defaults(command=_models)

    engines = commands.add_parser("engines", help="which inference libraries were found, and why others were not taken")
    engines.add_argument("--json", action="store_true", help="print JSON")
    engines.set_defaults(command=_engines)

    schema = commands.add_parser("schema", help="look at a JSON Schema")
    schema_commands = schema.add_subparsers(required=True, metavar="command")
    check = schema_commands.add_parser("check", help="can it be held to, what does it cost, what does it allow")
    check.add_argument("file", help="the schema; - reads it from standard input")
    check.add_argument("--model", metavar="MODEL", help="measure masks over this model's vocabulary; 'default': ours")
    check.add_argument("--engine", metavar="ENGINE", help="that opens the model; see agentrt run --help")
    check.add_argument("--instances", type=int, default=3, metavar="N", help="random instances to show (default 3)")
    check.add_argument("--seed", type=int, default=0, help="of the random instances")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(command=_schema_check)

    bench = commands.add_parser("bench", help="how fast a model is on this machine")
    bench.add_argument(
        "--tokens", type=int, default=64, metavar="N", help="tokens to generate in each part (default 64)"
    )
    bench.add_argument("--prompt-tokens", type=int, default=256, metavar="N", help="of the prefill (default 256)")
    bench.add_argument("--json", action="store_true", help="print JSON")
    _model_options(bench)
    bench.set_defaults(command=_bench)
    return parser


def _model_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument("--model", metavar="MODEL", help="GGUF file, known name, or hf://owner/repository/file")
    group.add_argument("--engine", metavar="ENGINE", help="llama.cpp, ctransformers, or the path of a libllama")
    group.add_argument("--ctx", type=int, metavar="N", help="size of the context in tokens")
    group.add_argument("--threads", type=int, metavar="N", help="the processor's free cores when not given")
    group.add_argument("--gpu-layers", type=int, metavar="N", help="layers to put on the GPU; -1: all")


def _agent_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("agent")
    group.add_argument(
        "--tools",
        action="append",
        default=[],
        metavar="WHERE",
        help="module:function, file.py:function, or either without a function: what its TOOLS lists. May be repeated",
    )
    group.add_argument("--tool-choice", default="auto", metavar="HOW", help="auto, required, none, or a tool's name")
    group.add_argument("--system", metavar="TEXT", help="system message")
    group.add_argument("--max-steps", type=int, metavar="N", help="most turns of the model")
    group.add_argument("--max-tokens", type=int, metavar="N", help="most new tokens")
    group.add_argument("--max-seconds", type=float, metavar="S", help="most seconds")
    group.add_argument("--temperature", type=float, metavar="T", help="0: always the likeliest token")
    group.add_argument("--seed", type=int, metavar="N", help="of the sampling")
    group.add_argument("--warm", metavar="FILE", help="keep the evaluated tools and system message there between runs")
    group.add_argument("-q", "--quiet", action="store_true", help="the answer only, no tool calls and figures")
    _model_options(parser)


# ---------------------------------------------------------------- run and chat


def _load(options: argparse.Namespace) -> Model:
    from .model import load

    given = {
        "engine": options.engine,
        "n_ctx": options.ctx,
        "n_threads": options.threads,
        "n_gpu_layers": options.gpu_layers,
    }
    return load(options.model, **{name: value for name, value in given.items() if value is not None})


def _agent(options: argparse.Namespace, model: Model, tools: Sequence[Tool]) -> Agent:
    from .agent import Agent

    limits = {name: getattr(options, name) for name in ("max_steps", "max_tokens", "max_seconds")}
    sampling = {"temperature": options.temperature, "seed": options.seed}
    agent = Agent(
        model,
        tools=tools,
        system=options.system,
        tool_choice=options.tool_choice,
        options={name: value for name, value in sampling.items() if value is not None},
        **{name: value for name, value in limits.items() if value is not None},
    )
    if options.warm is not None:
        agent.warm(options.warm)
    return agent


def find_tools(where: str) -> list[Tool]:
    """What `--tools` names."""
    import importlib
    import importlib.util

    from .errors import ArgumentError
    from .tools import Tool

    place, _, name = where.partition(":")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(spec.name, module)
            spec.loader.exec_module(module)
        else:
            if "" not in sys.path and os.getcwd() not in sys.path:
                sys.path.insert(0, os.getcwd())
            module = importlib.import_module(place)
    except (ImportError, OSError, SyntaxError) as error:
        raise ArgumentError(f"--tools {where}: {error}") from error
    found = getattr(module, name or "TOOLS", None)
    if found is None:
        raise ArgumentError(
            f"--tools {where}: {place} has no {name or 'TOOLS; name a function: ' + place + ':function'}"
        )
    return [Tool.of(one) for one in ([found] if name else found)]


def _tools(options: argparse.Namespace) -> list[Tool]:
    return [tool for where in options.tools for tool in find_tools(where)]


def _run(options: argparse.Namespace) -> int:
    import msgspec

    question = sys.stdin.read() if options.question == "-" else options.question
    output = None if options.schema is None else _read_json(options.schema)
    tools = _tools(options)
    with _load(options) as model, _agent(options, model, tools).stream(question, output=output) as stream:
        if options.json:
            for _ in stream.events():
                pass
        else:
            _show(stream, options)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(_as_dict(stream.reply)), indent=2).decode())
    return 0


def _as_dict(reply: Reply[Any]) -> dict[str, Any]:
    import msgspec

    return {
        "text": reply.text,
        "output": None if reply.value is msgspec.UNSET else reply.value,
        "stop_reason": reply.stop_reason,
        "steps": reply.steps,
        "calls": [
            {
                "name": record.name,
                "arguments": record.args,
                "content": record.content,
                "error": None if record.error is None else type(record.error).__name__,
                "seconds": round(record.seconds, 6),
            }
            for record in reply.calls
        ],
        "usage": reply.usage,
    }


def _chat(options: argparse.Namespace) -> int:
    tools = _tools(options)
    interactive = sys.stdin.isatty()
    if interactive:
        with contextlib.suppress(ImportError):  # not everywhere; it gives input() line editing and a history
            import readline  # noqa: F401
        print("Ctrl-C stops an answer, /reset starts anew, Ctrl-D or /quit ends.", file=sys.stderr)
    with _load(options) as model:
        agent = _agent(options, model, tools)
        messages: tuple[Message, ...] = ()
        while True:
            try:
                question = input("> ") if interactive else input()
            except EOFError:
                return 0
            if question.strip() == "/quit":
                return 0
            if question.strip() == "/reset":
                messages = ()
                continue
            if not question.strip():
                continue
            with agent.stream(question, messages=messages) as stream:
                try:
                    _show(stream, options)
                except KeyboardInterrupt:
                    if not interactive:
                        raise
                    print(file=sys.stderr)
            messages = stream.reply.messages


def _show(stream: Stream[Any], options: argparse.Namespace) -> None:
    """The answer as it comes, and on standard error what else happens."""
    from .events import ReasoningDelta, TextDelta, ToolCallEnd, ToolResult

    printer = _Printer(quiet=options.quiet)
    try:
        for event in stream.events():
            if isinstance(event, TextDelta):
                printer.answer(event.text)
            elif isinstance(event, ReasoningDelta):
                printer.reasoning(event.text)
            elif isinstance(event, ToolCallEnd):
                arguments = ", ".join(f"{name}={value!r}" for name, value in event.call.args.items())
                printer.aside(f"→ {event.call.name}({arguments})")
            elif isinstance(event, ToolResult):
                printer.aside(f"← {event.record.content}")
    finally:
        printer.end_line()
    reply = stream.reply
    if reply.stop_reason not in ("stop", "cancelled"):
        printer.aside(f"The run was ended by {reply.stop_reason}.")
    usage = reply.usage
    if sys.stderr.isatty() and usage.completion_tokens:
        speed = f", {usage.completion_tokens / usage.decode_ms * 1e3:.1f} tokens/s" if usage.decode_ms else ""
        printer.aside(
            f"{usage.completion_tokens} tokens in {usage.total_ms / 1e3:.1f} s{speed};"
            f" prompt {usage.prompt_tokens} tokens, {usage.cached_tokens} of them cached"
        )


class _Printer:
    """The answer on standard output; asides on standard error, each on a line of its own and dimmed if possible."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._line_of: TextIO | None = None  # where a line is unfinished
        colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._on, self._off = ("\x1b[2m", "\x1b[0m") if colour else ("", "")

    def answer(self, text: str) -> None:
        self._write(sys.stdout, _harmless(text) if sys.stdout.isatty() else text)

    def reasoning(self, text: str) -> None:
        """As it comes, for whoever is watching."""
        if not self._quiet and sys.stderr.isatty():
            self._write(sys.stderr, _harmless(text), dim=True)

    def aside(self, text: str) -> None:
        if not self._quiet:
            self.end_line()
            self._write(sys.stderr, _harmless(text), dim=True)
            self.end_line()

    def end_line(self) -> None:
        if self._line_of is not None:
            self._line_of.write("\n")
            self._line_of.flush()
            self._line_of = None

    def _write(self, out: TextIO, text: str, *, dim: bool = False) -> None:
        if self._line_of is not out:
            self.end_line()
        out.write(f"{self._on}{text}{self._off}" if dim else text)
        out.flush()
        self._line_of = None if text.endswith("\n") else out


def _harmless(text: str) -> str:
    """Without the characters that a terminal takes for commands."""
    return "".join(c if c in "\n\t" or c.isprintable() else "\ufffd" for c in text)


# ---------------------------------------------------------------- models, engines


def _models(options: argparse.Namespace) -> int:
    from . import models
    from .errors import ArgumentError, ModelError

    if options.action == "fetch":
        print(models.fetch(options.name or models.DEFAULT))
    elif options.action == "remove":
        if options.name is None:
            raise ArgumentError("remove which model? agentrt models lists them")
        gone = models.remove(options.name)
        if gone is None:
            raise ModelError(f"there is no model {options.name!r} in {models.cache_dir()}")
        print(gone)
    else:
        found = models.list_models()
        rows = [
            (model.name, _megabytes(model.size) if model.size else "not fetched", str(model.path)) for model in found
        ]
        if options.json:
            _print_json([{"name": m.name, "bytes": m.size, "path": str(m.path)} for m in found])
        else:
            _print_table(("name", "size", "path"), rows)
    return 0


def _engines(options: argparse.Namespace) -> int:
    from .engines import find_engines

    found = find_engines(probe=True)
    if options.json:
        _print_json(found)
        return 0
    chosen = next((engine for engine in found if not engine.refused), None)
    for engine in found:
        mark = "*" if engine is chosen else " "
        state = engine.refused or engine.version or "version unknown"
        print(f"{mark} {engine.kind} from {engine.source}: {state}")
        if engine.path:
            print(f"    {engine.path}")
        for device in engine.devices:
            memory = f", {_megabytes(device.memory_total)}" if device.is_gpu and device.memory_total else ""
            print(f"    {'GPU' if device.is_gpu else 'CPU'} {device.name}: {device.description}{memory}")
    if chosen is None:
        print("agentrt: there is no engine to use: pip install 'agentrt[llama]'", file=sys.stderr)
        return 1
    return 0


# ---------------------------------------------------------------- schema check, bench


def _schema_check(options: argparse.Namespace) -> int:
    text = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    vocab = None
    if options.model is not None:
        from .model import load

        engine = {} if options.engine is None else {"engine": options.engine}
        with load(None if options.model == "default" else options.model, **engine) as model:
            vocab = model.vocab
    from ._schema_check import check

    report = check(text, vocab=vocab, instances=options.instances, seed=options.seed)
    if options.json:
        _print_json(report)
    else:
        for line in report.lines():
            print(_harmless(line))
    return 0 if report.supported else 1


def _bench(options: argparse.Namespace) -> int:
    from ._bench import measure

    with _load(options) as model:
        result = measure(model, n_tokens=options.tokens, n_prompt=options.prompt_tokens)
    if options.json:
        _print_json(result)
    else:
        _print_table(("what", "figure", ""), result.rows(), title=result.title())
    return 0


# ---------------------------------------------------------------- printing


def _read_json(path: str) -> Any:
    import msgspec

    from .errors import ArgumentError

    try:
        return msgspec.json.decode(Path(path).read_bytes())
    except msgspec.DecodeError as error:
        raise ArgumentError(f"{path}: {error}") from error


def _print_json(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.0f} MB"


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Through rich on a terminal where that is installed, in plain columns elsewhere."""
    if sys.stdout.isatty():
        try:
            import rich.console
            import rich.table
        except ImportError:
            pass
        else:
            table = rich.table.Table(*head, title=title or None, title_justify="left")
            for row in rows:
                table.add_row(*row)
            rich.console.Console().print(table)
            return
    if title:
        print(title)
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
