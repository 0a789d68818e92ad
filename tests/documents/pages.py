"""The documents as a reader has them before them: pages, fenced blocks, code in the text."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    path.relative_to(ROOT).as_posix()
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "helm").rglob("*.md")])
)
SHELLS = ("sh", "bash", "zsh", "fish")
_FENCE = re.compile(r"^( *)```(\S*)([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_KEYWORDS = {"for", "do", "done", "if", "then", "fi", "||", "|", "&&", ";"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: the line it begins at, its language and text, without indentation."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each simple command in a shell block; redirections and comments are left out."""
        found: list[list[str]] = [[]]
        for line in self.text.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>()")
            lexer.whitespace_split = True
            lexer.commenters = "#"
            for word in (*lexer, ";"):
                if word in _KEYWORDS:
                    found.append([])
                elif word not in {"<", ">"}:
                    found[-1].append(word)
        return [words for words in found if words and "in" not in words[1:2]]


def text_of(page: str) -> str:
    """The whole page."""
    return (ROOT / page).read_text("utf-8")


def prose_of(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page."""
    text = text_of(page)
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[2], textwrap.dedent(match[4]))
        for match in _FENCE.finditer(text)
    ]


ALL = [block for page in PAGES for block in blocks(page)]
