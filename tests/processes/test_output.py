"""The output of programs as lines: split, decoded, with times that grow, kept in memory and on disk within bounds."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flyteapps_fake.processes import output
from flyteapps_fake.processes.last_words import last_words
from flyteapps_fake.processes.output import MAX_LINE_BYTES, Log, LogFile, Splitter
from flyteapps_fake.simulation.log_lines import Line

MOMENT = 1_700_000_000_000_000_000


def split(*pieces: bytes) -> list[str]:
    """Return the lines of all pieces, the last one included."""
    splitter = Splitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.finish()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\n", ["a\r"]),
        (b"10%\r20%\n", ["10%\r20%"]),
        (b"\xff\xfea\n", ["\ufffd\ufffda"]),
        ("ä€😀\n".encode(), ["ä€😀"]),
        (b"a\0b\n", ["a\0b"]),
        (b"last\r", ["last"]),
    ],
)
def test_lines(data: bytes, lines: list[str]) -> None:
    """The same lines come of the data at once, and byte by byte."""
    assert split(data) == lines
    assert split(*(data[at : at + 1] for at in range(len(data)))) == lines


@pytest.mark.parametrize("text", ["x", "ä", "€", "😀"])
def test_a_line_that_is_too_long_is_split_between_characters(text: str) -> None:
    """All of it is there, in pieces of bounded size."""
    long = "a" + text * (3 * MAX_LINE_BYTES // len(text.encode()))
    data = long.encode()
    for pieces in ([data], [data[at : at + 4_096] for at in range(0, len(data), 4_096)], [data + b"\n"]):
        lines = split(*pieces)
        assert "".join(lines) == long
        assert all(len(each.encode()) <= MAX_LINE_BYTES for each in lines)
        assert len(lines) <= 5


def test_bytes_that_are_no_characters_are_split_too() -> None:
    lines = split(b"\x80" * 100_000)
    assert sum(map(len, lines)) == 100_000
    assert max(map(len, lines)) <= MAX_LINE_BYTES


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    splitter = Splitter()
    for _ in range(1_000):
        splitter.feed(b"x" * 8_192)
        assert len(splitter._rest) <= MAX_LINE_BYTES  # pyright: ignore[reportPrivateUsage]


def test_times_grow() -> None:
    """Of lines at the same time, and where the clock goes back, too: each line is later than the one before."""
    log = Log()
    lines = [log.add(at, str(at)) for at in (5, 5, 3, 10, 10)]
    assert [line.at for line in lines] == [5, 6, 7, 10, 11]
    assert log.between(5, 10) == lines[1:4]
    assert log.between(0, 100) == lines
    assert log.between(11, 100) == []


def test_the_last_line_is_the_programs() -> None:
    """Lines of the platform, those of an earlier start, and empty ones, tell nothing of why it ended."""
    log = Log()
    log.add(1, "before")
    log.add(1, "it starts", system=True)
    assert last_words(log.tail(9)) == ""
    for text in ("  why ", "", " \t"):
        log.add(1, text)
    assert last_words(log.tail(9)) == "why"


def test_the_lines_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_LINES", 3)
    monkeypatch.setattr(output, "MAX_LOG_BYTES", 10)
    log = Log()
    for number in range(5):
        log.add(number, str(number))
    assert [line.text for line in log.between(-1, 9)] == ["2", "3", "4"]
    log.add(9, "x" * 9)
    assert [line.text for line in log.between(-1, 9)] == ["4", "x" * 9]


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_the_file_of_a_log(tmp_path: Path) -> None:
    """Each line has its time, and a mark where it is the platform's."""
    file = LogFile(tmp_path / "logs" / "a.log")
    file.write(
        [Line(MOMENT, False, "one"), Line(MOMENT + 1_999_999, True, "two"), Line(MOMENT + 2_000_000, False, "ö")]
    )
    file.close()
    assert lines_of(tmp_path / "logs" / "a.log") == [
        "2023-11-14T22:13:20.000+00:00 one",
        "2023-11-14T22:13:20.001+00:00 # two",
        "2023-11-14T22:13:20.002+00:00 ö",
    ]


def test_a_full_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many old ones stay, the newest is NAME.1; a file that was full at the start, too."""
    monkeypatch.setattr(output, "FILE_BYTES", 100)
    path = tmp_path / "a.log"
    for number in range(12):
        file = LogFile(path)
        file.write([Line(MOMENT, False, f"{number} " + "x" * 100)])
        file.write([Line(MOMENT, False, f"{number}+ " + "x" * 100)])
        file.close()
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["a.log", "a.log.1", "a.log.2", "a.log.3"]
    assert [lines_of(tmp_path / each)[0].split()[1] for each in names] == ["11+", "11", "10+", "10"]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The lines are lost until it can be written again."""
    folder = tmp_path / "logs"
    folder.write_text("not a directory")
    file = LogFile(folder / "a.log")
    file.write([Line(MOMENT, False, "lost")])
    folder.unlink()
    file.write([Line(MOMENT, False, "kept")])
    file.close()
    assert [each.split()[1] for each in lines_of(folder / "a.log")] == ["kept"]


def test_a_full_disk() -> None:
    """/dev/full refuses each byte."""
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("there is no /dev/full")
    file = LogFile(path)
    for _ in range(3):
        file.write([Line(MOMENT, False, "lost")])
    file.close()


def test_a_log_is_read_while_lines_are_added() -> None:
    """Readers are requests, in other threads."""
    log = Log()
    ended = threading.Event()

    def add() -> None:
        while not ended.is_set():
            log.add(0, "line")

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(300):
            lines = log.between(0, 1 << 63)
            assert all(line.text == "line" for line in lines)
    finally:
        ended.set()
        thread.join()
