"""Secrets in files: read again when they change, the last good value kept while they cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from exporter.errors import CredentialsError
from exporter.secrets import Secret
from exporter.upstream.masking import Mask
from exporter.upstream.secretfiles import SecretReader, fits_header

LATER = 4_000_000_000.0
"""A clock so late that every file counts as settled."""
VALUE = "canary-one"


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    """What is logged."""
    with capture_logs() as entries:
        yield entries


def write(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    """Write a file with a mode."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def reader(
    path: Path, *, clock: float = LATER, header: bool = False, mask: Mask | None = None
) -> SecretReader:
    """A reader of a file."""
    return SecretReader(
        "token",
        Secret(file=path),
        clock=lambda: clock,
        learn=(mask or Mask()).know,
        log=structlog.get_logger(),
        header=header,
    )


def events(logs: list[EventDict]) -> list[str]:
    """The names of what was logged."""
    return [entry["event"] for entry in logs]


def test_a_value_of_the_configuration() -> None:
    """A value that stands in the configuration is given as it is; in a header, without space around it."""
    plain = SecretReader("password", Secret(value=" p w "), clock=lambda: LATER, learn=Mask().know)
    token = SecretReader("token", Secret(value="tok\n"), clock=lambda: LATER, learn=Mask().know, header=True)
    assert (plain.read(), token.read()) == (" p w ", "tok")


@pytest.mark.parametrize("value", ["two words", "ünicode", "a\nb", "\x7f"])
def test_a_value_that_no_header_can_carry(value: str) -> None:
    """A token with spaces or beyond ASCII is refused by name, without showing it."""
    token = SecretReader("token", Secret(value=value), clock=lambda: LATER, learn=Mask().know, header=True)
    with pytest.raises(CredentialsError, match="token: it holds characters that no HTTP header") as caught:
        token.read()
    assert value not in str(caught.value)
    assert not fits_header(value)


def test_a_file_is_stripped(tmp_path: Path) -> None:
    """The line break at a file's end, and a byte order mark, are not part of the secret."""
    assert reader(write(tmp_path / "t", b"\xef\xbb\xbf  p w\r\n")).read() == "p w"


def test_a_changed_file_is_read_again(tmp_path: Path, logs: list[EventDict]) -> None:
    """A new value is taken up at the next read, masked before anybody uses it, and told once in the log."""
    mask = Mask()
    path = write(tmp_path / "t", VALUE)
    secret = reader(path, mask=mask)
    assert secret.read() == VALUE
    write(path, "canary-two")
    assert secret.read() == "canary-two"
    assert secret.read() == "canary-two"
    assert mask("canary-one canary-two") == "<secret> <secret>"
    assert events(logs) == ["secret file has changed"]
    assert "canary" not in str(logs)


def test_an_unchanged_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nothing about the file changes, it is not opened."""
    secret = reader(write(tmp_path / "t", VALUE))
    secret.read()

    def unexpected(*_: object) -> None:
        pytest.fail("the file was opened")

    monkeypatch.setattr(Path, "open", unexpected)
    assert secret.read() == VALUE


def test_a_symlink_swap(tmp_path: Path, logs: list[EventDict]) -> None:
    """Kubernetes swaps a directory behind a symlink: the new file is another one, whatever its times."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "token", f"canary-{name}")
        os.utime(tmp_path / name / "token", (1, 1))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "token").symlink_to("..data/token")
    secret = reader(tmp_path / "token")
    assert secret.read() == "canary-one"
    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert secret.read() == "canary-two"
    assert events(logs) == ["secret file has changed"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"canary-tw\xc3", "not UTF-8"),
        (b"canary-two\x00\x00", "cannot be printed"),
        (b"canary\ntwo", "more than one line"),
        (b"c" * 70_000, "larger than 64 KiB"),
        (b"two words", "no HTTP header can carry"),
    ],
)
def test_the_last_good_value_stays(
    tmp_path: Path, logs: list[EventDict], content: bytes, reason: str
) -> None:
    """What cannot be a whole secret changes nothing, and is said once, until it is good again."""
    path = write(tmp_path / "t", VALUE)
    secret = reader(path, header=True)
    secret.read()
    write(path, content)
    assert [secret.read() for _ in range(3)] == [VALUE] * 3
    write(path, "canary-three")
    assert secret.read() == "canary-three"
    assert events(logs) == [
        "secret file cannot be used; the last value stays",
        "secret file has changed",
        "secret file can be used again",
    ]
    assert reason in logs[0]["reason"]
    assert logs[0]["secret"] == "token"
    assert "canary" not in str(logs)


def test_a_missing_file_comes_back(tmp_path: Path, logs: list[EventDict]) -> None:
    """While the file is gone, the last value stays; the same value again is no change."""
    path = write(tmp_path / "t", VALUE)
    secret = reader(path)
    secret.read()
    kept = path.rename(tmp_path / "elsewhere")
    assert [secret.read() for _ in range(3)] == [VALUE] * 3
    kept.rename(path)
    assert secret.read() == VALUE
    assert events(logs) == [
        "secret file cannot be used; the last value stays",
        "secret file can be used again",
    ]
    assert logs[0]["reason"] == "the file cannot be read: No such file or directory"


def test_no_regular_file(tmp_path: Path) -> None:
    """A directory or a pipe is not opened: a pipe would block."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(CredentialsError, match="not a regular file"):
            reader(path).read()


def test_there_was_never_a_value(tmp_path: Path, logs: list[EventDict]) -> None:
    """Without any value the error names the key, the file and the reason; and it is looked for again."""
    path = tmp_path / "t"
    secret = reader(path)
    with pytest.raises(CredentialsError) as caught:
        secret.read()
    assert str(caught.value) == f"token: {path}: the file cannot be read: No such file or directory"
    write(path, VALUE)
    assert secret.read() == VALUE
    assert events(logs) == ["secret file can be used again"]


def test_a_file_that_was_just_written_waits(tmp_path: Path) -> None:
    """A file written within the last second may be half-written: the old value stays until it has settled."""
    path = write(tmp_path / "t", VALUE)
    now = 1_700_000_000.0
    os.utime(path, (now, now))
    clock = [now]
    secret = SecretReader("token", Secret(file=path), clock=lambda: clock[0], learn=Mask().know)
    assert secret.read() == VALUE  # the first value is taken at once: there is no other
    write(path, "canary-two")
    os.utime(path, (now, now))
    clock[0] = now + 0.9
    assert secret.read() == VALUE
    clock[0] = now + 1.0
    assert secret.read() == "canary-two"


def test_a_file_from_the_future_is_settled(tmp_path: Path) -> None:
    """A file server whose clock is ahead holds nothing up."""
    path = write(tmp_path / "t", VALUE)
    secret = reader(path, clock=1_700_000_000.0)
    secret.read()
    write(path, "canary-two")
    assert secret.read() == "canary-two"


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read while somebody wrote is not used."""
    path = write(tmp_path / "t", VALUE)
    secret = reader(path)
    secret.read()
    write(path, "canary-two")
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        result = real(descriptor)
        with path.open("ab") as file:
            file.write(b"x")
        return result

    monkeypatch.setattr(os, "fstat", growing)
    assert secret.read() == VALUE
    monkeypatch.undo()
    assert secret.read() == "canary-twoxx"


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_readable_by_others(tmp_path: Path, logs: list[EventDict], mode: int, warned: bool) -> None:  # noqa: FBT001 - a parameter
    """A file that its group or everyone can read is warned of, once."""
    path = write(tmp_path / "t", VALUE, mode)
    secret = reader(path)
    secret.read()
    write(path, "canary-two", mode)
    secret.read()
    warnings = [entry for entry in logs if "by its group" in entry["event"]]
    assert [entry["mode"] for entry in warnings] == ([f"{mode:04o}"] if warned else [])
    assert "canary" not in str(logs)
