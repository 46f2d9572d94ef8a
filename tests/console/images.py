"""Small PNG files of screenshots: pages of flat colours need a palette of 256 colours, and no more."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
ALIKE = 0b1111_1000
"""The bits of red, green and blue in which colours differ that a reader can tell apart."""
Colour = bytes
"""Red, green and blue."""


def with_palette(png: bytes) -> bytes:
    """Return the image, 8 bits of red, green and blue a pixel, with a palette: colours that are alike become one."""
    chunks = list(_chunks(png))
    width, height, *kind = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0], "a screenshot of Chromium is of this kind"
    rows = _rows(zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT")), 3 * width, height)
    pixels = [row[at : at + 3] for row in rows for at in range(0, 3 * width, 3)]
    counts = Counter(pixels)
    alike = dict[bytes, list[Colour]]()
    for colour, _ in counts.most_common():
        alike.setdefault(bytes(each & ALIKE for each in colour), []).append(colour)
    largest = sorted(alike.values(), key=lambda colours: -sum(counts[each] for each in colours))
    palette = [colours[0] for colours in largest[:COLOURS]]
    index = {colour: number for number, colours in enumerate(largest[:COLOURS]) for colour in colours}
    for colour in counts.keys() - index.keys():
        index[colour] = min(range(len(palette)), key=lambda number: _distance(palette[number], colour))
    numbers = bytes(map(index.__getitem__, pixels))
    lines = b"".join(b"\0" + numbers[at : at + width] for at in range(0, len(numbers), width))
    return SIGNATURE + b"".join(
        _chunk(name, data)
        for name, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            (b"PLTE", b"".join(palette)),
            (b"IDAT", zlib.compress(lines, 9)),
            (b"IEND", b""),
        )
    )


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size


def _rows(data: bytes, size: int, height: int) -> Iterator[bytes]:
    """Yield the rows of bytes, without PNG's filters."""
    above = bytearray(size)
    for number in range(height):
        start = number * (size + 1)
        row = bytearray(data[start + 1 : start + 1 + size])
        match data[start]:
            case 1:
                for at in range(3, size):
                    row[at] = (row[at] + row[at - 3]) & 255
            case 2:
                row = bytearray((a + b) & 255 for a, b in zip(row, above, strict=True))
            case 3:
                for at in range(size):
                    row[at] = (row[at] + ((row[at - 3] if at >= 3 else 0) + above[at]) // 2) & 255
            case 4:
                for at in range(size):
                    left, corner = (row[at - 3], above[at - 3]) if at >= 3 else (0, 0)
                    row[at] = (row[at] + _paeth(left, above[at], corner)) & 255
            case _:
                pass
        yield bytes(row)
        above = row


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
    return (left, up, corner)[distances.index(min(distances))]
