"""The value behind a Secret: as it was written in the configuration, or what its file holds now.

A file is looked at (one `stat`) at every read and read again when it is another one than before: another
inode, size or time, which a symlink swap of Kubernetes gives too. While it is missing, empty, unreadable or
being written, the last good value stays and a log line says so, once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from exporter.errors import CredentialsError
from exporter.secrets import Secret, may_be_read_by_others

_LARGEST = 64 * 1024
_SETTLED = 1.0
"""Seconds after its last write from which on a file is taken for whole."""

_NO_HEADER = "it holds characters that no HTTP header can carry"

Signature = tuple[int, int, int, int, int]


class SecretReader:
    """One secret of the configuration.

    `name` is its key, for the log; `clock` gives epoch seconds (compared with the file's time of writing);
    `learn` is told each new value before anybody uses it, so that it can be masked. With `header`, the value
    goes into a request's header as it is, and one that no header can carry is none.
    """

    def __init__(
        self,
        name: str,
        secret: Secret,
        *,
        clock: Callable[[], float],
        learn: Callable[[str, str], None],
        log: Any = None,
        header: bool = False,
    ) -> None:
        self._header = header
        self._name = name
        self._file = secret.file
        self._clock = clock
        self._learn = learn
        self._log = (log or structlog.get_logger()).bind(secret=name)
        self._value: str | None = None
        self._signature: Signature | None = None
        self._trouble = ""
        self._warned = False
        if secret.value is not None:
            self._take_configured(secret.value)

    def read(self) -> str:
        """Return the value in force; raises CredentialsError while there has never been one."""
        if self._file is not None:
            self._look(self._file)
        if self._value is None:
            place = f"{self._name}: {self._file}" if self._file else self._name
            raise CredentialsError(f"{place}: {self._trouble}")
        return self._value

    def _take_configured(self, value: str) -> None:
        if self._header and not fits_header(value.strip()):
            self._trouble = _NO_HEADER
        else:
            self._take(value.strip() if self._header else value)

    def _look(self, path: Path) -> None:
        try:
            self._read_changed(path)
        except OSError as error:
            self._keep(f"the file cannot be read: {error.strerror}")
        except ValueError as error:
            self._keep(str(error))

    def _read_changed(self, path: Path) -> None:
        found = path.stat()
        if signature(found) == self._signature:
            self._recovered()
            return
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not a regular file")
        if self._value is not None and 0 <= self._clock() - found.st_mtime < _SETTLED:
            return  # it may be half-written: the next read is soon enough
        value, read_from = _read_whole(path)
        if self._header and not fits_header(value):
            raise ValueError(_NO_HEADER)
        self._warn_of_readers(path, found)
        if self._value not in {None, value}:
            self._log.info("secret file has changed", file=str(path))
        self._take(value)
        self._signature = read_from
        self._recovered()

    def _take(self, value: str) -> None:
        self._learn(self._name, value.strip())
        self._value = value

    def _keep(self, trouble: str) -> None:
        if trouble != self._trouble and self._value is not None:
            self._log.warning(
                "secret file cannot be used; the last value stays",
                file=str(self._file),
                reason=trouble,
            )
        self._trouble = trouble

    def _recovered(self) -> None:
        if self._trouble:
            self._log.info("secret file can be used again", file=str(self._file))
        self._trouble = ""

    def _warn_of_readers(self, path: Path, found: os.stat_result) -> None:
        if not self._warned and may_be_read_by_others(found.st_mode, found.st_uid, os.geteuid()):
            self._warned = True
            self._log.warning(
                "secret file can be read by its group or by everyone",
                file=str(path),
                mode=f"{stat.S_IMODE(found.st_mode):04o}",
            )


def fits_header(text: str) -> bool:
    """Whether a text can stand in a header: visible ASCII, and something of it."""
    return bool(text) and all("!" <= character <= "~" for character in text)


def _read_whole(path: Path) -> tuple[str, Signature]:
    """The file's text and what it was read from; raises ValueError for what cannot be a whole secret."""
    with path.open("rb") as file:
        before = signature(os.fstat(file.fileno()))
        data = file.read(_LARGEST + 1)
        after = signature(os.fstat(file.fileno()))
    if before != after:
        raise ValueError("the file is being written")
    if len(data) > _LARGEST:
        raise ValueError(f"the file is larger than {_LARGEST // 1024} KiB")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8") from None
    if not text:
        raise ValueError("the file is empty")
    if not text.isprintable():
        raise ValueError("the file holds more than one line, or characters that cannot be printed")
    return text, after


def signature(found: os.stat_result) -> Signature:
    """Return what changes with a file's content: whose it is, its size and times."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
