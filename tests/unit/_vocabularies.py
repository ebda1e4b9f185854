"""Vocabularies of the kinds that tokenizers have, made up by a fixed seed; shared by tests, not a test itself.

Each kind has what makes it difficult: byte-level BPE cuts characters anywhere, SentencePiece writes what it does not
know in single bytes beside tokens of whole characters, Tekken begins with a thousand tokens without text, and the last
one has everything at once: equal tokens, empty ones, bytes that are no UTF-8, tokens of hundreds of bytes.
"""

from __future__ import annotations

import random

JSON_PIECES = [
    '{"', '":', '": ', '": "', '":"', '","', '", "', '"}', '"},', '"]', '"],', "},", "],", "}}", "]]", '"}]', '"]}',
    "[]", "{}", "{", "}", "[", "]", ":", ",", ": ", ", ", ",\n", "{\n", "\n  ", "\n    ", "\n\n", "\t\t", " \n",
    '\\"', "\\n", "\\\\", "\\u", "\\u00", "\\u00e9", "\\ud83d", "\\ude00", "true", "false", "null", "tru",
    "-1", "0.", "1.5", "e-", "E+", "1e", "00", "10", "12", "123", "2020", "-01", "T00:", ":00Z", "://", ".com", "@",
    "1,", "2]", "3}", '1"', "name", "id", "type", "value",
]  # fmt: skip
ALPHABETS = ["etaoinshrdlucmfwypvbgkqjxz", "абвгдежзиклмноп", "的一是不了人我在有他", "éèüñöäçß", "😀🎉👍🚀", "αβγδε"]
Tokens = tuple[list[bytes], int]


def _words(draw: random.Random, n: int) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < n:
        alphabet = draw.choices(ALPHABETS, weights=[30, 3, 3, 3, 1, 1])[0]
        word = "".join(draw.choices(alphabet, k=draw.randint(1, 7)))
        shape = draw.choices(
            ["{}", " {}", " {}", '{}"', '{}",', ' "{}', "_{}", ".{}", "{}:", "{}\n"],
            weights=[8, 8, 8, 2, 1, 1, 2, 2, 1, 1],
        )[0]
        words[shape.format(draw.choice([word, word, word.title(), word.upper()]))] = None
    return list(words)


def byte_level_bpe(n: int = 2000) -> Tokens:
    """As GPT-2, Llama 3 and Qwen have it: every byte, and pieces that end in the middle of characters."""
    draw = random.Random("bpe")
    tokens = {bytes([b]): None for b in range(256)} | {piece.encode(): None for piece in JSON_PIECES}
    for word in _words(draw, n):
        text = word.encode()
        at = draw.choice([0, 0, 0, 1, 2])
        tokens[text[at : len(text) - draw.choice([0, 0, 0, 1, 2])] or text] = None
    return [*tokens, b"", b""], len(tokens)


def sentencepiece(n: int = 2000) -> Tokens:
    """As Gemma and Llama 2 have it: control tokens, one token for each byte, then whole characters only."""
    draw = random.Random("spm")
    chars = sorted(set("".join(ALPHABETS)) | set(map(chr, range(0x20, 0x7F))))
    words = dict.fromkeys([*JSON_PIECES, *_words(draw, n), "\n", "\t", "  ", " " * 16, *chars])
    return [b"", b"", b"", *(bytes([b]) for b in range(256)), *(word.encode() for word in words)], 1


def tekken(n: int = 2000) -> Tokens:
    """As Mistral has it: a thousand tokens without text, then bytes and pieces by rank."""
    tokens, _ = byte_level_bpe(n)
    return [b""] * 1000 + [token for token in tokens if token], 2


def everything_at_once() -> Tokens:
    """Equal tokens, empty ones, no UTF-8, very long ones; the end of sequence in the middle."""
    draw = random.Random("odd")
    tokens, _ = byte_level_bpe(500)
    tokens = [token for token in tokens if token]
    tokens += draw.choices(tokens, k=200) + [b""] * 50
    tokens += [bytes(draw.choices(range(256), k=draw.randint(1, 5))) for _ in range(300)]
    tokens += [
        b"\xf0\x9f\x98",
        b'\x98\x80"',
        b"\x80",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\x00",
        b"a\x00",
    ]
    tokens += [b"x" * 300, b" " * 250, b"ab" * 120 + b'"', "é".encode() * 100, b"1" * 200, b"[" * 90, b"\\u0061" * 30]
    draw.shuffle(tokens)
    at = len(tokens) // 2
    return [*tokens[:at], b"", *tokens[at:]], at


MADE_UP = {
    "byte-level BPE": byte_level_bpe,
    "SentencePiece": sentencepiece,
    "Tekken": tekken,
    "everything at once": everything_at_once,
}
