"""Paints a still by optimisation: python -m models.gatys CONTENT STYLE [STYLE ...] -o OUT.png.

From Python: `models.stills.paint.paint`. This module is what starts: it answers Ctrl-C while PyTorch loads.
"""

from __future__ import annotations

import os
import sys

from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    # Threads that wait for each other must not spin: the live picture needs the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    lose_unread("stderr")
    from models.stills.arguments import build_parser
    from models.stills.run import run

    args = build_parser().parse_args(argv)
    if not args.progress_lines:  # whose reader ends the work by leaving
        lose_unread("stdout")
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
