"""Mistakes that a user can mend, each with the exit code it ends a program with. Shared by all rooms."""

import sys

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_ARGUMENTS = 2
EXIT_SOURCE = 3
EXIT_MODEL = 4
EXIT_OUTPUT = 5
EXIT_INTERRUPTED = 130


class UserError(ValueError):
    """Something the user can mend: the message says what, what was found, what to try."""

    exit_code = EXIT_ARGUMENTS


class SourceError(UserError):
    """A camera, stream, clip or picture cannot be opened, or ended damaged."""

    exit_code = EXIT_SOURCE


class ModelError(UserError):
    """A style, an ONNX file, a weights file or a checkpoint cannot be used."""

    exit_code = EXIT_MODEL


class OutputError(UserError):
    """A result cannot be written, or there is no display for the window."""

    exit_code = EXIT_OUTPUT


def first_line(error: BaseException, longest: int = 160) -> str:
    """What an exception says, as much of it as fits into a message of one line; its type's name where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0][:longest] if text else type(error).__name__


def reason_of(error: BaseException) -> str:
    """Why something failed, for a message of one line: the system's or FFmpeg's own words where it has them."""
    return getattr(error, "strerror", None) or first_line(error)


def tell_mistake(error: UserError) -> int:
    """Prints a user's mistake as every program does, one line on stderr, and returns its exit code."""
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code
