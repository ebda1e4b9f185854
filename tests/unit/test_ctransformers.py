"""The second engine: the same tokens as libllama from a converted file, and clear words for what it can not do."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import agentrt
from agentrt import ArgumentError, BusyError, ModelError, StateError, models

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = [
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nName three colors.<|im_end|>\n<|im_start|>assistant\n",
    "Once upon a time there was a",
    "def fibonacci(n):\n",
    '{"name": "Anna", "age": 31, "city": "',
]

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def source() -> Path:
    try:
        return models.resolve(os.environ.get("AGENTRT_TEST_MODEL"))
    except ModelError as error:
        pytest.skip(f"no model: {error}")


@pytest.fixture(scope="module")
def converted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("gguf")
    if not (ROOT / "tools" / "convert_ctransformers.py").exists():
        pytest.skip("not a source tree")
    spec = importlib.util.spec_from_file_location("convert_ctransformers", ROOT / "tools" / "convert_ctransformers.py")
    assert spec is not None
    assert spec.loader is not None
    tool: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    target = tmp_path_factory.mktemp("converted") / "f32.gguf"
    tool.convert(source, target)
    yield target
    target.unlink()  # 650 MB: not for pytest to keep


@pytest.fixture(scope="module")
def model(converted: Path) -> Iterator[agentrt.Model]:
    try:
        loaded = agentrt.load(converted, engine="ctransformers", n_ctx=512)
    except ModelError as error:
        pytest.skip(f"no ctransformers: {error}")
    with loaded:
        yield loaded


def test_both_engines_give_the_same_tokens(model, converted, source):
    """F32 against F32: quantised files differ between builds."""
    with agentrt.load(converted, n_ctx=512) as other, agentrt.load(source, n_ctx=64) as original:
        for prompt in PROMPTS:
            ids = original.tokenize(prompt, special=True)
            assert model.tokenize(prompt, special=True) == ids
            answers = []
            for one in (model, other):
                with one.borrow(ids) as session:
                    session.start(ids, max_tokens=24)
                    for _ in session.events():
                        pass
                    answers.append(session.tokens)
            assert answers[0] == answers[1]
            assert len(answers[0]) > len(ids)


def test_it_knows_the_files_vocabulary(model):
    text = 'Hello wörld 😀 {"a": 1}\n'
    assert model.detokenize(model.tokenize(text)) == text
    special = model.tokenize("a<|im_end|>\n", special=True)
    assert special[1] == model.caps.eos
    assert model.caps.eos not in model.tokenize("<|im_end|>")
    assert model.token_bytes(model.caps.eos) == b""
    assert model.token_bytes(model.caps.eos, special=True) == b"<|im_end|>"
    assert "im_start" in (model.chat_template or "")
    assert model.meta("general.architecture") == "llama"
    assert model.meta("llama.block_count") == "30"
    assert model.meta("tokenizer.ggml.add_bos_token") == "false"
    assert model.meta("llama.rope.freq_base") == "100000.000000"
    assert model.meta("tokenizer.ggml.tokens") is None
    with pytest.raises(ArgumentError, match="NUL"):
        model.tokenize("a\0b")


def test_its_cache_is_cut_back(model):
    ids = model.tokenize(PROMPTS[0], special=True)
    first = model.generate(ids, max_tokens=12)
    assert "Paris" in first.text
    again = model.generate(ids, max_tokens=12)
    assert again.text == first.text
    assert again.usage.cached_tokens == len(ids) - 1


def test_what_it_can_not_do(model):
    caps = model.caps
    assert (caps.can_copy, caps.can_save, caps.many_sessions) == (False, False, False)
    with model.borrow([1, 2, 3]) as session:
        with pytest.raises(StateError, match="ctransformers engine can not save"):
            session.save()
        with pytest.raises(StateError, match="ctransformers engine can not load"):
            session.load(b"")
        with pytest.raises(StateError, match="one session"):
            model.session()
        with pytest.raises(BusyError, match="one session"):
            model.generate("x", max_tokens=1)
    assert model.generate("x", max_tokens=1).usage.completion_tokens == 1


def test_the_context_is_guarded(model):
    """The library itself writes past it without a word."""
    with pytest.raises(ModelError, match="context of 512"):
        model.generate("word " * 600)
    ids = [1780] * 505
    full = model.generate(ids)
    assert full.stop_reason in ("context", "stop")
    assert full.usage.prompt_tokens + full.usage.completion_tokens <= 512


def test_a_typed_value(model):
    class Person(msgspec.Struct):
        name: str
        age: int

    g = model.generate(PROMPTS[0], schema=Person, max_tokens=40)
    assert isinstance(g.output, Person)


def test_an_agent_runs_on_it(model):
    @agentrt.tool
    def multiply(a: int, b: int) -> int:
        """Multiply two integers."""
        return a * b

    agent = agentrt.Agent(model, tools=[multiply], tool_choice="required", max_tokens=60, max_steps=2)
    reply = agent.run("What is 37 times 481?")
    assert reply.calls[0].name == "multiply"
    assert reply.calls[0].error is None


def test_files_it_can_not_load(model, source, tmp_path, capfd):
    with pytest.raises(ModelError, match=r"tokenizer\.ggml\.scores.*convert_ctransformers"):
        agentrt.load(source, engine="ctransformers")
    text = tmp_path / "model.bin"
    text.write_text("not a model, whatever it is called")
    with pytest.raises(ModelError, match="not a GGUF"):
        agentrt.load(text, engine="ctransformers")
    with pytest.raises(ModelError, match="bad magic"):
        agentrt.load(text, engine="ctransformers", model_type="gpt2")
    with pytest.raises(ModelError, match="No such file"):
        agentrt.load(tmp_path / "missing.bin", engine="ctransformers", model_type="gpt2")
    assert capfd.readouterr().err == ""


def test_nothing_of_the_package_is_imported(model):
    assert "ctransformers" not in sys.modules


def test_no_layers_for_a_gpu(converted: Path) -> None:
    with pytest.raises(ModelError, match="on the processor only"):
        agentrt.load(converted, engine="ctransformers", n_gpu_layers=1)
