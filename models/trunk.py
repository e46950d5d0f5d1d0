"""The shared weights that a new style starts from: python -m models.trunk RUN.

A trunk is a generator without its training: a safetensors file of tensors alone, its shape in the metadata. Starting
from one, a painting needs minutes instead of hours, because how to keep a picture's edges, how to stay steady and how
to draw no grid are learnt already.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from models.checkpoint import generator_from_checkpoint, load_checkpoint
from models.from_gallery import generator_of_file, generator_of_style
from models.generator import Generator
from models.tensor_files import encode_tensors, read_tensors
from realtime.errors import EXIT_DONE, ModelError, OutputError
from realtime.gallery import ModelFile, load_gallery, suggestion
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread
from realtime.program.written_paths import whole_file

SHIPPED_TRUNK = Path(__file__).resolve().parent / "trunk.safetensors"
TRUNK_WORD = "trunk"  # stands for the shipped one on the command line
_FORMAT = "stylecam-trunk-1"
_SUFFIX = ".safetensors"
_ONNX_SUFFIX = ".onnx"
_MAX_FILE_BYTES = 64 * 2**20
_HINT = "write one with python -m models.trunk RUN"


def save_trunk(generator: Generator, path: Path, learnt_from: str) -> None:
    """Writes a generator's weights, whole or not at all.

    Args:
        learnt_from: names of the paintings it was trained on, for whoever asks.
    Raises:
        OutputError: the file cannot be written.
    """
    told = {"settings": json.dumps(asdict(generator.settings)), "learnt_from": learnt_from}
    try:
        with whole_file(path) as partial:
            partial.write_bytes(encode_tensors(generator.state_dict(), _FORMAT, told))
    except OSError as error:
        raise OutputError(f"trunk {path}: cannot be written ({error})") from None


def load_trunk(path: Path) -> Generator:
    """Reads a trunk.

    Raises:
        ModelError: not there, too large, not a trunk of ours, or tensors that do not fit.
    """
    metadata, tensors = read_tensors("trunk", path, _MAX_FILE_BYTES, _FORMAT, _HINT)
    try:
        found = json.loads(metadata.get("settings", ""))
    except (ValueError, RecursionError):  # no JSON, or lists within lists beyond all measure
        found = None
    if not isinstance(found, dict):
        raise ModelError(f"trunk {path}: does not say which generator it belongs to")
    return generator_from_checkpoint({"settings": found, "generator": tensors})


def load_start(start: str, tier: str = "fast") -> Generator:
    """What a training starts from: "trunk" for the shipped one, a .safetensors file, another run, or a style.

    Args:
        start: a word or a path; a file or folder that is there comes before a style of that name.
        tier: of a style that has two, the one to take.
    Raises:
        ModelError: it cannot be used.
    """
    path = Path(start)
    if path.suffix == _SUFFIX:
        return load_trunk(path)
    if path.suffix.lower() == _ONNX_SUFFIX:
        return generator_of_file(ModelFile(path, None))
    if not is_word(start):
        return generator_from_checkpoint(load_checkpoint(path))
    if start == TRUNK_WORD:
        return load_trunk(SHIPPED_TRUNK)
    styles = {style.name: style for style in load_gallery()}
    if start not in styles:
        hint = suggestion(start, [TRUNK_WORD, *styles])
        raise ModelError(f"--from {start}: neither a run, nor a file, nor the name of a style; {hint}")
    return generator_of_style(styles[start], tier)


def is_word(start: str) -> bool:
    """Whether what a training starts from is a name that means the same on every machine, not a file or a folder."""
    return Path(start).name == start and not os.path.lexists(start)


def _check_place(path: Path, overwrite: bool) -> None:
    """Refuses a name that no trunk is read from, and a file that nobody asked to replace.

    Raises:
        OutputError: with the reason.
    """
    if path.suffix != _SUFFIX:
        raise OutputError(f"--out {path}: a trunk's name ends in {_SUFFIX}, found {path.suffix or 'no suffix'}")
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"--out {path}: exists already; add --overwrite to replace it")


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    parser = argument_types.Parser(prog="python -m models.trunk", description="Write a run's generator as a trunk.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a training, or its checkpoint")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="trunk to write: FILE.safetensors")
    parser.add_argument("--overwrite", action="store_true", help="replace a trunk that exists")
    args = parser.parse_args(argv)
    _check_place(args.out, args.overwrite)
    content = load_checkpoint(args.run)
    generator = generator_from_checkpoint(content)
    save_trunk(generator, args.out, str(content.get("recipe", {}).get("painting", "unknown")))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
