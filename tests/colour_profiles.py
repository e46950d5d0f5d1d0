"""ICC profiles made for tests: sRGB's colours, or grey, with values that are light itself."""

from __future__ import annotations

import struct

_WHITE = (0.9642, 1.0, 0.8249)  # D50, which profiles count from
_PRIMARIES = {b"r": (0.4361, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7141)}


def linear_profile(space: bytes) -> bytes:
    """A profile of linear values.

    Args:
        space: "RGB " or "GRAY".
    """
    name = b"linear\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78),
        b"wtpt": _xyz(*_WHITE),
    }
    curve = b"curv" + bytes(8)  # without a point: the identity
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for channel, place in _PRIMARIES.items():
            tags |= {channel + b"XYZ": _xyz(*place), channel + b"TRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for key, content in tags.items():
        table += key + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02100000, b"mntr", space, b"XYZ ") + bytes(12)
    header += b"acsp" + bytes(28) + _xyz(*_WHITE)[8:]
    return header.ljust(128, b"\0") + table + body


def linear_to_srgb(level: int) -> int:
    """The grey of sRGB, 0 to 255, that is as light as a linear one (IEC 61966-2-1)."""
    light = level / 255
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))


def _xyz(*place: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in place))
