"""Markdown documents as what a reader would copy out of them: blocks, commands, files."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.workshop import CHART, ROOT

README = ROOT / "README.md"
INSTALL = ROOT / "docs" / "install.md"
FILES = (README, INSTALL, CHART / "README.md")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: the document, the heading that it stands under, its language and text."""

    document: Path
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: {self.heading}"

    @property
    def file(self) -> str:
        """The name of the file that the block shows, where its first line says one."""
        first = self.text.partition("\n")[0]
        return first.removeprefix("# ") if re.fullmatch(r"# [\w/.-]+\.yml", first) else ""

    @property
    def commands(self) -> list[list[str]]:
        """The block's commands, each as its words; continued lines are joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line) for line in lines if line.strip() and not line.startswith("#")]


def blocks(language: str, file: Path | None = None) -> list[Block]:
    """Return the blocks of a language, of one document or of all."""
    found = []
    for path in [file] if file else FILES:
        text = section(path)
        for match in _BLOCK.finditer(text):
            if match[1] == language:
                before = _BLOCK.sub("", text[: match.start()])
                headings = re.findall(r"^#+ (.+)$", before, re.MULTILINE)
                found.append(Block(path, headings[-1], match[1], match[2]))
    return found


def section(path: Path) -> str:
    """Return what a document says about installing: of the README one section, of the others everything."""
    text = path.read_text(encoding="utf-8")
    if path != README:
        return text
    (found,) = re.findall(r"^## Install$.*?(?=^## )", text, re.MULTILINE | re.DOTALL)
    return str(found)
