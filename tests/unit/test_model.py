"""Model, Session and streams on the default model: what can go wrong says so and leaves everything usable."""

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

import agentrt
from agentrt import ArgumentError, BusyError, ForkedError, ModelError, StateError, models

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
STORY = "<|im_start|>user\nTell me a long story about the sea.<|im_end|>\n<|im_start|>assistant\n"
LONG = "word " * 700


@pytest.fixture(scope="module")
def path() -> Path:
    try:
        return models.resolve(os.environ.get("AGENTRT_TEST_MODEL"))
    except ModelError as error:
        pytest.skip(f"no model: {error}")


@pytest.fixture(scope="module")
def model(path: Path) -> Iterator[agentrt.Model]:
    try:
        loaded = agentrt.load(path, n_ctx=1024)
    except ModelError as error:
        pytest.skip(f"no engine: {error}")
    with loaded:
        yield loaded


needs_model = pytest.mark.model


# ---------------------------------------------------------------- text


@needs_model
def test_generate_and_stream_agree(model):
    g = model.generate(QUESTION, max_tokens=40)
    assert "Paris" in g.text
    assert g.stop_reason == "stop"
    assert g.output is None
    assert g.usage.prompt_tokens == len(model.tokenize(QUESTION, special=True))
    assert 0 < g.usage.completion_tokens <= 40
    assert g.usage.total_ms >= g.usage.prefill_ms + g.usage.decode_ms > 0
    with model.stream(QUESTION, max_tokens=40) as deltas:
        pieces = list(deltas)
        assert list(deltas) == []
    assert "".join(pieces) == deltas.text == g.text
    assert len(pieces) > 3
    assert deltas.stop_reason == "stop"
    assert deltas.usage.completion_tokens == g.usage.completion_tokens


@needs_model
def test_messages_are_put_through_the_template(model):
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    rendered = model.detokenize(
        model.chat.prompt([agentrt.Message("system", system), agentrt.Message("user", "Hello")]), special=True
    )
    asked = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert rendered == f"<|im_start|>system\n{system}<|im_end|>\n{asked}"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Hello"}]
    by_messages = model.generate(messages, max_tokens=9)
    assert by_messages.usage.prompt_tokens == len(model.tokenize(rendered, special=True))
    assert by_messages.text == model.generate(rendered, max_tokens=9).text


@needs_model
def test_limits_and_stop_strings(model):
    whole = model.generate(STORY, max_tokens=30)
    assert whole.stop_reason == "max_tokens"
    assert whole.usage.completion_tokens == 30
    stop = whole.text[20:26]
    cut = model.generate(STORY, max_tokens=30, stop=[stop, "never said"])
    assert cut.stop_reason == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert model.generate(STORY, max_tokens=30, stop=stop).text == cut.text


@needs_model
def test_sampling_is_repeatable_by_seed(model):
    options: dict[str, Any] = {"max_tokens": 12, "temperature": 1.5, "top_p": 0.95, "min_p": 0.01}
    one = model.generate(STORY, seed=1, **options).text
    assert model.generate(STORY, seed=1, **options).text == one
    assert {model.generate(STORY, seed=n, **options).text for n in (2, 3, 4)} != {one}
    exclamation = model.tokenize("!")[0]
    assert model.generate(STORY, max_tokens=3, logit_bias={exclamation: 100.0}).text == "!!!"
    banned = model.tokenize(" Paris")[0]
    assert " Paris" not in model.generate(QUESTION, max_tokens=20, logit_bias={banned: float("-inf")}).text
    for bad in ({"temperature": -1}, {"top_p": 0}, {"logit_bias": {10**6: 1.0}}, {"stop": ""}, {"stop": ["x"] * 17}):
        with pytest.raises((ArgumentError, OverflowError)):
            model.generate(QUESTION, max_tokens=1, **bad)


@needs_model
def test_the_cache_is_reused_and_can_be_forgotten(model):
    model.reset()
    prompt = model.tokenize("A sentence that only this test has, with some length to it.")
    first = model.generate(prompt, max_tokens=2)
    assert first.usage.cached_tokens < 5
    again = model.generate(prompt, max_tokens=2)
    assert again.usage.cached_tokens == len(prompt) - 1
    assert again.text == first.text
    model.reset()
    assert model.generate(prompt, max_tokens=2).usage.cached_tokens == 0


@needs_model
def test_tokens(model):
    text = "Hello wörld 😀 <|im_end|>"
    plain, special = model.tokenize(text), model.tokenize(text, special=True)
    assert model.detokenize(plain) == text
    assert special[-1] == model.caps.eos
    assert model.caps.eos not in plain
    assert model.token_bytes(model.caps.eos) == b""
    assert model.token_bytes(model.caps.eos, special=True) == b"<|im_end|>"
    assert model.tokenize("") == []
    assert len(model.tokenize("x" * 10_000)) > 100
    assert model.meta("general.architecture") == "llama"
    assert model.meta("no.such.key") is None
    assert "im_start" in (model.chat_template or "")
    for bad in (-1, model.caps.n_vocab):
        with pytest.raises(ArgumentError):
            model.token_bytes(bad)
    with pytest.raises(ArgumentError):
        model.generate([0, model.caps.n_vocab], max_tokens=1)


# ---------------------------------------------------------------- values


class Trip(msgspec.Struct):
    city: Annotated[str, msgspec.Meta(min_length=2, max_length=20)]
    days: Annotated[int, msgspec.Meta(ge=1, le=30)]
    mood: Literal["calm", "wild"]


PLAN = [{"role": "user", "content": "Plan a trip to Rome. Answer in JSON."}]
TAGS = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 40},
        "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 2, "maxItems": 4},
        "score": {"type": "number"},
    },
    "required": ["title", "tags", "score"],
    "additionalProperties": False,
}


@needs_model
def test_a_type_in_a_typed_value_out(model):
    g = model.generate(PLAN, schema=Trip, max_tokens=60)
    assert isinstance(g.output, Trip)
    assert msgspec.json.decode(g.text, type=Trip) == g.output
    assert g.stop_reason == "stop"
    assert g.usage.forced_tokens > 0


@needs_model
@pytest.mark.parametrize("schema", [TAGS, json.dumps(TAGS)])
def test_a_schema_in_plain_values_out(model, schema):
    jsonschema = pytest.importorskip("jsonschema")
    with model.stream(PLAN, schema=schema, max_tokens=80) as deltas:
        text = "".join(deltas)
    assert json.loads(text) == deltas.output
    jsonschema.validate(deltas.output, TAGS)


@needs_model
def test_values_are_valid_whatever_is_sampled_and_however_short(model):
    jsonschema = pytest.importorskip("jsonschema")
    for seed, max_tokens in enumerate((28, 28, 28, 29, 30, 31, 32, 34, 40, 60)):
        g = model.generate(PLAN, schema=TAGS, max_tokens=max_tokens, temperature=2.0, seed=seed)
        jsonschema.validate(json.loads(g.text), TAGS)
        assert g.usage.completion_tokens <= max_tokens
    with pytest.raises(agentrt.LimitExceeded, match="shortest output"):
        model.generate(PLAN, schema=TAGS, max_tokens=5)


@needs_model
def test_forcing_changes_nothing_but_speed(model):
    texts = [model.generate(PLAN, schema=Trip, max_tokens=60, fast_forward=f).output for f in (True, False)]
    assert all(isinstance(t, Trip) for t in texts)


@needs_model
def test_constraints_are_compiled_once(model):
    model.generate(PLAN, schema=Trip, max_tokens=40)
    known = len(model._constraints)
    model.generate(PLAN, schema=Trip, max_tokens=40)
    assert len(model._constraints) == known
    for n in range(40):
        model.generate(PLAN, schema={"const": n}, max_tokens=10)
    assert len(model._constraints) == 32


@needs_model
def test_schemas_that_can_not_be(model):
    with pytest.raises(agentrt.SchemaError):
        model.generate(PLAN, schema={"type": "strnig"}, max_tokens=5)
    with pytest.raises(ArgumentError):
        model.generate(PLAN, schema=Trip, stop="x", max_tokens=50)
    with pytest.raises(ArgumentError):
        model.generate(PLAN, schema=["not", "a", "schema"], max_tokens=50)


# ---------------------------------------------------------------- leaving early


@needs_model
def test_leaving_a_stream_ends_it(model):
    with model.stream(STORY, max_tokens=500) as deltas:
        for _ in deltas:
            break
    assert deltas.stop_reason == "cancelled"
    assert deltas.usage.completion_tokens < 10
    assert list(deltas) == []
    assert "Paris" in model.generate(QUESTION, max_tokens=20).text
    abandoned = model.stream(STORY, max_tokens=500)
    next(abandoned)
    del abandoned
    gc.collect()
    assert len(model._sessions) <= 2


@needs_model
def test_cancel_in_the_middle_of_a_prefill(model):
    with model.session() as session:
        session.start(model.tokenize(LONG), max_tokens=5)
        timer = threading.Timer(0.2, session.cancel)
        timer.start()
        began = time.monotonic()
        assert list(session.events()) == []
        assert time.monotonic() - began < 1.5  # the whole prefill takes several seconds
        timer.join()
        assert session.stop == "cancelled"
        session.start(model.tokenize(QUESTION, special=True), max_tokens=20)
        assert "Paris" in "".join(data for _, _, data in session.events())


@needs_model
def test_a_deadline_ends_a_prefill(model):
    with model.session() as session:
        began = time.monotonic()
        session.start(model.tokenize(LONG), max_tokens=5, deadline=began + 0.2)
        assert list(session.events()) == []
        assert session.stop == "cancelled"
        assert time.monotonic() - began < 1.5


SCRIPT = """
    import sys, time
    import agentrt
    model = agentrt.load(sys.argv[1], n_ctx=2048, n_threads=1)
    prompt = sys.argv[2] * int(sys.argv[3])
    session = model.session()
    session.start(model.tokenize(prompt), max_tokens=400)
    print("ready", flush=True)
    try:
        for kind, tool, data in session.events():
            print("text", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        session.start(model.tokenize("The capital of France is"), max_tokens=3)
        print("".join(data for _, _, data in session.events()), flush=True)
"""


@needs_model
@pytest.mark.parametrize(("times", "phase"), [(1500, "prefill"), (1, "decode")])
def test_ctrl_c(model, path, times, phase):
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), "word ", str(times)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": python_path},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if phase == "decode":
        assert process.stdout.readline() == "text\n"
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    lines = [line for line in out.splitlines() if line != "text"]
    assert lines[0] == "interrupted", (out, err)
    assert "Paris" in lines[1]
    assert err == ""
    assert process.returncode == 0
    assert time.monotonic() - began < 5  # the prefill alone takes over ten seconds


# ---------------------------------------------------------------- threads and processes


@needs_model
def test_two_threads_on_two_sessions_of_one_model(model):
    wanted = model.generate(QUESTION, max_tokens=20).text
    got: list[str] = []

    def work() -> None:
        for _ in range(3):
            got.append(model.generate(QUESTION, max_tokens=20).text)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [wanted] * 6


@needs_model
def test_two_threads_in_one_session(model):
    with model.session() as session:
        session.start(model.tokenize(LONG), max_tokens=1)
        worker = threading.Thread(target=lambda: list(session.events()))
        worker.start()
        time.sleep(0.1)
        with pytest.raises(BusyError):
            next(session.events())
        with pytest.raises(BusyError):
            session.start([1], max_tokens=1)
        session.cancel()
        worker.join()
        assert session.stop == "cancelled"


@needs_model
def test_two_models_side_by_side(model, path):
    with agentrt.load(path, n_ctx=256) as other:
        assert other.generate(QUESTION, max_tokens=10).text == model.generate(QUESTION, max_tokens=10).text


@needs_model
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_told(model):
    session = model.session()
    session.start([1, 2, 3], max_tokens=3)
    pid = os.fork()
    if pid == 0:
        told = 0
        for attempt in (lambda: next(session.events()), lambda: model.generate(QUESTION), model.session):
            try:
                attempt()
            except ForkedError:
                told += 1
            except BaseException:
                pass
        session.close()
        os._exit(0 if told == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert session.stop is None
    list(session.events())
    session.close()


# ---------------------------------------------------------------- closing


@needs_model
def test_a_closed_model_says_so(path):
    model = agentrt.load(path, n_ctx=256)
    stream = model.stream(STORY, max_tokens=50)
    next(stream)
    session = model.session()
    vocab = model.vocab
    model.close()
    model.close()
    for attempt in (
        lambda: model.generate("x"),
        lambda: model.tokenize("x"),
        lambda: model.session(),
        lambda: model.meta("x"),
        lambda: model.token_bytes(1),
        lambda: session.start([1]),
        lambda: session.tokens,
        lambda: next(stream),
    ):
        with pytest.raises(StateError, match="closed"):
            attempt()
    assert len(vocab) == 49152  # what was taken from the model lives on
    session.close()
    stream.close()
    assert "closed" in repr(model)


@needs_model
def test_closing_a_model_that_works_in_another_thread(path):
    model = agentrt.load(path, n_ctx=1024)
    ended: list[str] = []

    def work() -> None:
        try:
            ended.append(model.generate(LONG, max_tokens=5).stop_reason)
        except StateError:
            ended.append("cancelled")

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.3)
    began = time.monotonic()
    model.close()
    worker.join()
    assert time.monotonic() - began < 2
    assert ended == ["cancelled"]


@needs_model
def test_memory_is_given_back(path):
    def anonymous_kb() -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1])
        pytest.skip("no RssAnon")

    def once() -> None:
        with agentrt.load(path, n_ctx=512) as model:
            model.generate(QUESTION, max_tokens=3)
            model.generate(PLAN, schema=Trip, max_tokens=40)
            with model.stream(STORY, max_tokens=50) as deltas:
                next(deltas)
        gc.collect()

    for _ in range(3):
        once()
    before = anonymous_kb()
    for _ in range(6):
        once()
    assert anonymous_kb() - before < 12_000  # one session alone has 12 MB


# ---------------------------------------------------------------- files


@needs_model
def test_files_that_can_not_be_loaded(model, path, tmp_path):
    whole = path.read_bytes()
    cases = {"empty": b"", "text": b"This is a README, not a model.\n" * 100, "zeros": bytes(100_000)}
    for n in (4, 20, 100, 5_000, 1_000_000, 2_000_000, 50_000_000, len(whole) - 1):
        cases[f"cut-{n}"] = whole[:n]
    for name, content in cases.items():
        file = tmp_path / f"{name}.gguf"
        file.write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}\.gguf.*(GGUF|cut off|missing)"):
            agentrt.load(file)
        file.unlink()
    with pytest.raises(ModelError, match=r"missing\.gguf.*No such file"):
        agentrt.load(tmp_path / "missing.gguf")
    with pytest.raises(ModelError, match="not a regular file"):
        agentrt.load(tmp_path)


@needs_model
def test_files_that_the_engine_refuses(model, path, tmp_path):
    """Whole files that llama.cpp has no use for: its own reason is passed on."""
    whole = bytearray(path.read_bytes()[:3_000_000])
    at = whole.index(b"general.architecture") + 20 + 4 + 8
    assert whole[at : at + 5] == b"llama"
    damaged = bytearray(path.read_bytes())
    damaged[at : at + 5] = b"llamb"
    file = tmp_path / "unknown.gguf"
    file.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"unknown\.gguf.*llamb"):
        agentrt.load(file)
    damaged[at : at + 5] = b"llama"
    name = damaged.index(b"blk.3.attn_q.weight")
    damaged[name : name + 5] = b"blx.3"
    file.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"blk\.3\.attn_q\.weight"):
        agentrt.load(file)


@needs_model
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"llama.block_count\4\0\0\0\x1e", b"llama.block_count\4\0\0\0\0", "0 layers"),
        (b"llama.block_count\4\0\0\0\x1e\0\0\0", b"llama.block_count\4\0\0\0\x1e\0\0\x7f", "layers"),
        (b"\5\0\0\0\0\0\0\0\xc4\xa0and", b"\5\0\0\0\0\0\0\0\xc4\xa0the", "has the text of an earlier one"),
        (b"tokenizer.ggml.token_type\x09\0\0\0\5", b"tokenizer.ggml.token_type\x09\0\0\0\6", "token_type"),
    ],
)
def test_damage_that_would_end_the_process(path, tmp_path, old, new, words):
    """llama.cpp has assertions here; the file never gets that far."""
    content = path.read_bytes()
    assert content.count(old) == 1
    file = tmp_path / "damaged.gguf"
    file.write_bytes(content.replace(old, new))
    with pytest.raises(ModelError, match=rf"damaged\.gguf.*{words}"):
        agentrt.load(file)
    file.unlink()


@needs_model
def test_a_prompt_longer_than_the_context(model):
    before = model.generate(QUESTION, max_tokens=3)
    with pytest.raises(ModelError, match=r"prompt of \d+ tokens leaves no room in the context of 1024"):
        model.generate("word " * 1200, max_tokens=3)
    after = model.generate(QUESTION, max_tokens=3)
    assert after.text == before.text
    assert after.usage.cached_tokens > 5  # nothing was lost
    with agentrt.load(model.path, n_ctx=64) as small:
        full = small.generate("word " * 50)
        assert full.stop_reason in ("context", "stop")
        assert full.usage.prompt_tokens + full.usage.completion_tokens <= 64


@needs_model
def test_saved_sessions(model):
    tokens = model.tokenize(QUESTION, special=True)
    with model.session() as one, model.session() as two:
        one.start(tokens, max_tokens=5)
        text = "".join(data for _, _, data in one.events())
        data = one.save()
        two.load(data)
        two.start(tokens, max_tokens=5)
        assert "".join(d for _, _, d in two.events()) == text
        assert two.usage.cached_tokens == len(tokens) - 1
        two.fork(one, 8)
        assert two.tokens == tokens[:8]
        for damaged in (b"", data[:-1], data[:100] + b"\1" + data[101:], b"x" * 200):
            with pytest.raises(ModelError):
                two.load(damaged)


@needs_model
def test_the_engines_log_goes_to_logging_and_nowhere_else(path):
    code = textwrap.dedent("""
        import logging, sys
        import agentrt
        if sys.argv[2] == "debug":
            logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
        with agentrt.load(sys.argv[1], n_ctx=128) as model:
            model.generate("x", max_tokens=1)
    """)
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    for level in ("debug", "quiet"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), level],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env={**os.environ, "PYTHONPATH": python_path},
        )
        assert done.stderr == ""
        assert ("agentrt.engine" in done.stdout) == (level == "debug")


def test_a_sentencepiece_model():
    """Leading spaces, byte tokens, a large vocabulary; AGENTRT_TEST_SPM_MODEL is such a file, for example Gemma 3."""
    file = os.environ.get("AGENTRT_TEST_SPM_MODEL")
    if not file:
        pytest.skip("AGENTRT_TEST_SPM_MODEL is not set")
    with agentrt.load(file, n_ctx=512) as model:
        assert model.caps.add_bos
        text = "Hello wörld 😀 \u0007"
        assert model.detokenize(model.tokenize(text)).removeprefix(" ") == text
        for seed in range(4):
            g = model.generate("A trip as JSON: ", schema=Trip, max_tokens=60, temperature=float(seed), seed=seed)
            assert isinstance(g.output, Trip)
            assert g.usage.forced_tokens > 0
        short = model.generate("A trip as JSON: ", schema=Trip, max_tokens=24)
        assert isinstance(short.output, Trip)
