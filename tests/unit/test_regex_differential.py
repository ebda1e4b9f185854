"""The regular-language module against JavaScript's RegExp and Python's re, on patterns and texts that hypothesis makes.

The C driver (tests/c/regex_driver.c) is compiled here; the tests skip where there is no C compiler or no node.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
SOURCES = [
    *sorted((ROOT / "csrc").glob("art_regex*.c")),
    *(ROOT / "csrc" / name for name in ("art_find.c", "art_unicode.c", "art_mem.c", "art_budget.c")),
]
# A search of V8 also looks inside surrogate pairs (`\B` matches there), so matches are asked for at each code point.
NODE_SERVER = r"""
require('readline').createInterface({input: process.stdin}).on('line', line => {
  const [pattern, texts] = JSON.parse(line);
  const search = (re, text) => {
    for (let i = 0; i <= text.length; i += text.codePointAt(i) > 0xFFFF ? 2 : 1) {
      re.lastIndex = i;
      if (re.test(text)) return 1;
    }
    return 0;
  };
  let answer;
  try { const re = new RegExp(pattern, 'uy'); answer = texts.map(text => search(re, text)); }
  catch (e) { answer = null; }
  console.log(JSON.stringify(answer));
});
"""


class Server:
    """A program that answers each line with a line."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def close(self) -> None:
        self.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or not SOURCES[0].exists():
        pytest.skip("needs a C compiler and the C sources")
    program = tmp_path_factory.mktemp("regex") / "driver"
    sources = [str(ROOT / "tests/c/regex_driver.c"), *map(str, SOURCES)]
    subprocess.run([compiler, "-std=c11", "-O1", f"-I{ROOT / 'csrc'}", "-o", str(program), *sources], check=True)
    server = Server(str(program))
    yield server
    server.close()


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    program = shutil.which("node")
    if not program:
        pytest.skip("needs node")
    server = Server(program, "-e", NODE_SERVER)
    yield server
    server.close()


def to_hex(text: str) -> str:
    return text.encode().hex() or "-"


def from_hex(word: str) -> str:
    return "" if word == "-" else bytes.fromhex(word).decode()


def ask_driver(driver: Server, pattern: str, texts: list[str]) -> tuple[list[int], list[str]] | None:
    """Which texts match, and some texts of the language; None when the pattern was refused."""
    answer = driver.ask(" ".join(map(to_hex, [pattern, *texts]))).split()
    if answer[0] == "E":
        return None
    matches = [int(digit) for digit in answer[0]] if texts else []
    witnesses = [from_hex(word) for word in answer[bool(texts) :] if word != "none"]
    return matches, witnesses


CHARS = "ab01_ .\n\t-é\u2028😀/"
SPELLED = {"\n": r"\n", "\t": r"\t", ".": r"\.", "/": r"\/"}
literal = st.sampled_from([SPELLED.get(c, c) for c in CHARS])
in_class = st.sampled_from([{**SPELLED, "-": r"\-"}.get(c, c) for c in CHARS])
common_escape = st.sampled_from([r"\d", r"\D", r"\w", r"\W"])
escape = st.one_of(
    common_escape,
    st.sampled_from([r"\s", r"\S", r"\p{L}", r"\P{Lu}", r"\p{Script=Latin}", r"\p{scx=Grek}", r"\p{Emoji}"]),
)
quantifier = st.sampled_from(["*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}", "{0,2}?", "{3,5}", "{0,1}"])


def char_class(escapes: st.SearchStrategy[str], min_size: int) -> st.SearchStrategy[str]:
    items = st.lists(
        st.one_of(in_class, escapes, st.sampled_from(["a-z", "0-9", "\t-é"])), min_size=min_size, max_size=3
    )
    return st.builds(lambda negated, body: "[" + "^" * negated + "".join(body) + "]", st.booleans(), items)


def patterns(atom: st.SearchStrategy[str], looks: list[str], assertions: list[str]) -> st.SearchStrategy[str]:
    def grow(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        sequence = st.lists(children, min_size=1, max_size=4).map("".join)
        alternation = st.lists(st.one_of(st.just(""), sequence), min_size=1, max_size=3).map("|".join)
        group = st.builds(lambda start, body: start + body + ")", st.sampled_from(["(", "(?:"]), alternation)
        look = st.builds(lambda start, body: start + body + ")", st.sampled_from(looks), alternation)
        repeated = st.builds(lambda body, q: body + q, st.one_of(group, atom), quantifier)
        return st.one_of(group, look, repeated, st.sampled_from(assertions), sequence)

    body = st.recursive(st.one_of(atom, st.sampled_from(assertions)), grow, max_leaves=10)
    return st.lists(body, min_size=1, max_size=3).map("".join)


texts = st.lists(st.text(alphabet=CHARS, max_size=8), min_size=1, max_size=12)
javascript = patterns(
    st.one_of(literal, literal, escape, char_class(escape, 0), st.just(".")),
    ["(?=", "(?!", "(?<=", "(?<!"],
    ["^", "$", r"\b", r"\B"],
)
# Python's \s and . have other line ends, its $ matches before one, and \B once did not match the empty text.
python = patterns(
    st.one_of(literal, literal, common_escape, char_class(common_escape, 1)), ["(?=", "(?!"], ["^", r"\Z", r"\b"]
)
LIMITS = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@LIMITS
@given(pattern=javascript, texts=texts)
def test_agrees_with_javascript(driver: Server, node: Server, pattern: str, texts: list[str]) -> None:
    ours = ask_driver(driver, pattern, texts)
    theirs = json.loads(node.ask(json.dumps([pattern, texts])))
    if ours is None:
        looks_behind = "(?<=" in pattern or "(?<!" in pattern
        assert theirs is None or looks_behind, "only a lookbehind may be refused"
        return
    assert theirs is not None
    matches, witnesses = ours
    assert matches == theirs
    assert json.loads(node.ask(json.dumps([pattern, witnesses]))) == [1] * len(witnesses)


@LIMITS
@given(pattern=python, texts=texts)
def test_agrees_with_python(driver: Server, pattern: str, texts: list[str]) -> None:
    theirs = re.compile(pattern, re.ASCII)
    ours = ask_driver(driver, pattern.replace(r"\Z", "$"), texts)
    assert ours is not None
    assert ours[0] == [int(theirs.search(text) is not None) for text in texts]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"^((?!foo).)*$", ["", "fo", "bar"], ["foo", "xfoox"]),
        (r"^(?=.*\d)(?=.*[a-z]).{3,5}$", ["a1b", "12a45"], ["abc", "123", "a1", "a12345"]),
        (r"(?:^|a){2}b", ["b", "ab", "aab"], ["xb", "xab"]),
        (r"^(?:(?=a)|b){2}a$", ["a", "ba", "bba"], ["b", "bbba"]),
        (r"(?<=^|,)x(?=,|$)", ["x", "a,x", "x,b"], ["ax", "xa"]),
        (r"(?<!\d{2})z", ["z", "1z", "a1z"], ["12z", "123z"]),
        (r"^(?:\bab\B.)+$", ["abc"], ["ab", "ab "]),
        (r"^[^\d\s]+$", ["é😀"], ["1", " "]),
    ],
)
def test_chosen_patterns(driver: Server, node: Server, pattern: str, yes: list[str], no: list[str]) -> None:
    expected = [1] * len(yes) + [0] * len(no)
    ours = ask_driver(driver, pattern, yes + no)
    assert ours is not None
    assert ours[0] == expected
    assert json.loads(node.ask(json.dumps([pattern, yes + no]))) == expected
