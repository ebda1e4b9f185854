"""Summary and parameter descriptions of a docstring: Google, NumPy and Sphinx style."""

from __future__ import annotations

import inspect
import re

__all__ = ["parse"]

_GOOGLE_ARGS = re.compile(r"(?:Args|Arguments|Parameters|Params):\s*$")
_GOOGLE_SECTION = re.compile(r"[A-Z][A-Za-z ]*:\s*$")
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_ITEM = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_SPHINX_PARAM = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_SPHINX_FIELD = re.compile(r":\w+[^:]*:")
_RULE = re.compile(r"-{3,}\s*$")


def parse(docstring: str | None) -> tuple[str, dict[str, str]]:
    """The text before the first section, and what is said of each parameter; runs of whitespace become one space."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    found: dict[str, list[str]] = {}
    end = len(lines)
    i = 0
    while i < len(lines):
        line, start = lines[i], i
        if _GOOGLE_ARGS.match(line) and i + 1 < len(lines) and _indent(lines[i + 1]) > 0:
            i = _google(lines, i + 1, found)
        elif _is_numpy_heading(lines, i):
            numpy_args = line.strip() in ("Parameters", "Other Parameters")
            i = _numpy(lines, i + 2, found) if numpy_args else i + 2
        elif match := _SPHINX_PARAM.match(line):
            i = _sphinx(lines, i, match, found)
        elif _SPHINX_FIELD.match(line) or (_GOOGLE_SECTION.match(line) and i > 0 and not lines[i - 1].strip()):
            i += 1
        else:
            i += 1
            continue
        end = min(end, start)
    return _join(lines[:end]), {name: _join(text) for name, text in found.items()}


def _join(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_numpy_heading(lines: list[str], i: int) -> bool:
    return i + 1 < len(lines) and bool(lines[i].strip()) and bool(_RULE.match(lines[i + 1]))


def _google(lines: list[str], i: int, found: dict[str, list[str]]) -> int:
    """Items are indented, their continuation lines more so; the section ends at the first line that is not."""
    margin = _indent(lines[i])
    current: list[str] | None = None
    while i < len(lines):
        line = lines[i]
        if line.strip():
            if _indent(line) < margin:
                break
            item = _GOOGLE_ITEM.match(line[margin:]) if _indent(line) == margin else None
            if item:
                current = found.setdefault(item[1], [])
                current.append(item[2])
            elif current is not None:
                current.append(line)
        i += 1
    return i


def _numpy(lines: list[str], i: int, found: dict[str, list[str]]) -> int:
    """Names stand at the margin, `name : type`; their descriptions are indented."""
    current: list[list[str]] = []
    while i < len(lines) and not _is_numpy_heading(lines, i):
        line = lines[i]
        if line.strip() and _indent(line) == 0:
            item = _NUMPY_ITEM.match(line)
            if not item:
                break
            current = [found.setdefault(name.strip().lstrip("*"), []) for name in item[1].split(",")]
        else:
            for text in current:
                text.append(line)
        i += 1
    return i


def _sphinx(lines: list[str], i: int, match: re.Match[str], found: dict[str, list[str]]) -> int:
    text = found.setdefault(match[1], [])
    text.append(match[2])
    i += 1
    while i < len(lines) and lines[i].strip() and _indent(lines[i]) > 0:
        text.append(lines[i])
        i += 1
    return i
