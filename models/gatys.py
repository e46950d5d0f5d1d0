"""Paints a still by optimisation: python -m models.gatys CONTENT STYLE [STYLE ...] -o OUT.png.

From Python: `models.stills.paint.paint`. This module is what starts: it answers Ctrl-C while PyTorch loads.
"""

from __future__ import annotations

import os
import sys

from realtime.errors import EXIT_INTERRUPTED, UserError, tell_mistake
from realtime.program.interruption import signals_as_ctrl_c
from realtime.program.standard_streams import lose_unread


def main(argv: list[str] | None = None) -> int:
    """Entry point; maps mistakes of the user to a line and an exit code."""
    # Threads that wait for each other must not spin: the live picture needs the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    lose_unread("stderr")  # of stdout, where --progress-lines go, a reader that leaves is the end
    with signals_as_ctrl_c():
        try:
            from models.stills.arguments import build_parser
            from models.stills.run import run

            return run(build_parser().parse_args(argv))
        except UserError as error:
            return tell_mistake(error)
        except KeyboardInterrupt:
            print("interrupted: nothing was written", file=sys.stderr)
            return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
