"""Learns and paints textures: python -m models.textures PAINTING -o OUT.png.

It answers Ctrl-C while PyTorch loads; later a training ends there, and what it has learnt is painted.
"""

from __future__ import annotations

import sys

from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    from models.textures.arguments import build_parser
    from models.textures.run import run

    return run(build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
