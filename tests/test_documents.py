"""Every command in the documents is one that the programs take."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
PYTHON = re.compile(r"(?:^|&& )(?:\S*/)?python3? (?:-m ((?:benchmarks|export|models|realtime)\.\S+)|run_cam\.py)( .*)?$")

Command = tuple[str, tuple[str, ...]]  # the module that is run, and the words that follow


class ParsedError(BaseException):
    """A program has come to its command line and shall stop; of a kind that none of them catches."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def commands_of(lines: list[str]) -> list[Command]:
    """Those of lines of shell that end in a program of ours."""
    found = (PYTHON.search(line.strip()) for line in lines)
    return [(match[1] or "run_cam", tuple(shlex.split(match[2] or "", comments=True))) for match in found if match]


def in_blocks(text: str) -> list[Command]:
    """Commands of a document's blocks; a line that ends in a backslash goes on in the next."""
    return commands_of([line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()])


def in_sentences(text: str) -> list[Command]:
    """Commands that a document names outside its blocks."""
    return commands_of([" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text))])


def parser_for(command: Command, *, parses: bool, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """The parser that a program makes for its command line.

    Args:
        parses: whether it also reads the command's words.
    Raises:
        ModuleNotFoundError: there is no such program.
        SystemExit: the program does not take these words.
    """
    name, words = command
    parse_args = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, given: list[str]) -> None:
        if parses:
            parse_args(parser, given)
        raise ParsedError(parser)

    module = importlib.import_module(name)
    program = importlib.import_module(f"{name}.__main__") if hasattr(module, "__path__") else module
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    with pytest.raises(ParsedError) as parsed:
        program.main(list(words))
    return parsed.value.parser


def unknown_options(command: Command, parser: argparse.ArgumentParser) -> list[str]:
    """Options of a command that its program does not have under the very name; what follows "--" is another program's."""
    words = command[1][: command[1].index("--")] if "--" in command[1] else command[1]
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    return [option for option in options if option not in parser._option_string_actions]


def parameters(texts: dict[Path, str], find: Any) -> list[Any]:
    """Each command once, with the document that names it first."""
    first: dict[Command, Path] = {}
    for path, text in texts.items():
        for command in find(text):
            first.setdefault(command, path)
    return [pytest.param(command, id=f"{path.name}: {' '.join((command[0], *command[1]))}") for command, path in first.items()]


TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}


@pytest.mark.parametrize("command", parameters(TEXTS, in_blocks))
def test_a_command_of_a_block_is_taken_word_for_word(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_options(command, parser_for(command, parses=True, monkeypatch=monkeypatch)) == []


@pytest.mark.parametrize("command", parameters(TEXTS, in_sentences))
def test_a_command_of_a_sentence_has_options_that_there_are(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_options(command, parser_for(command, parses=False, monkeypatch=monkeypatch)) == []


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    text = (
        "Run `python -m benchmarks.gatys\n--json found.json` or `python x.py`, not `python -m pip install y`.\n\n"
        "  ```\n  python3 -m venv .venv && .venv/bin/python run_cam.py --source demo\n"
        "  python -m export.to_onnx RUN --title 'My painting' \\\n      --name painting   # on Linux\n  ```\n"
        "`python run_cam.py`\n"
    )
    assert in_sentences(text) == [("benchmarks.gatys", ("--json", "found.json")), ("run_cam", ())]
    assert in_blocks(text) == [
        ("run_cam", ("--source", "demo")),
        ("export.to_onnx", ("RUN", "--title", "My painting", "--name", "painting")),
    ]


def test_a_command_that_no_program_takes_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError):
        parser_for(("benchmarks.gone", ()), parses=False, monkeypatch=monkeypatch)
    shortened: Command = ("benchmarks.latency", ("--frame", "5", "--", "--style", "wave"))
    assert unknown_options(shortened, parser_for(shortened, parses=False, monkeypatch=monkeypatch)) == ["--frame"]


@pytest.mark.parametrize("words", [("--sauce", "demo"), ("--tier", "finest"), ("--crf",)])
def test_words_that_are_not_taken_are_found_out(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        parser_for(("run_cam", words), parses=True, monkeypatch=monkeypatch)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_pictures_and_documents_that_are_linked_are_there(path: Path) -> None:
    linked = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[path]) if "://" not in link]
    assert [link for link in linked if link and not (path.parent / link).exists()] == []
