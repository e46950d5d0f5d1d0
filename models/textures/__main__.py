"""Learns and paints textures: python -m models.textures PAINTING -o OUT.png.

It answers Ctrl-C while PyTorch loads; later a training ends there, and what it has learnt is painted.
"""

from __future__ import annotations

import sys

from realtime.errors import UserError, tell_mistake
from realtime.program.interruption import answers_interruption
from realtime.program.standard_streams import lose_unread


@answers_interruption
def main(argv: list[str] | None = None) -> int:
    """Entry point; maps mistakes of the user to a line and an exit code."""
    lose_unread("stdout", "stderr")
    try:
        from models.textures.arguments import build_parser
        from models.textures.run import run

        return run(build_parser().parse_args(argv))
    except UserError as error:
        return tell_mistake(error)


if __name__ == "__main__":
    sys.exit(main())
