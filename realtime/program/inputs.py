"""What the texts after --source name: a folder, a pattern or several files, turned into files and into work to do."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from realtime.cameras import without_password
from realtime.errors import OutputError, SourceError, UserError
from realtime.pictures.files import PICTURE_SUFFIXES
from realtime.video.names import WRITTEN_SUFFIXES

# By these names a video is found in a folder; a file that is named itself may be called what it likes.
_COMMON_VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp")
VIDEO_SUFFIXES = frozenset({*_COMMON_VIDEOS, ".ts", ".mts", ".m2ts", ".mxf"})
_NUMBER = re.compile(r"%(?:0(\d{1,2}))?d")
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Job:
    """One file to paint and the file to make of it."""

    source: Path
    output: Path


@dataclass(frozen=True)
class Single:
    """One source: a camera, a stream, a file, the demo."""

    source: str


@dataclass(frozen=True)
class PictureFilm:
    """Pictures that are the frames of one film."""

    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class Batch:
    """Files to be painted one by one into a folder."""

    jobs: tuple[Job, ...]


Work = Single | PictureFilm | Batch


def plan_work(sources: list[str], output: Path | None) -> Work:
    """What is to be done with the texts after --source, which depends on where it goes.

    Into a folder, files are painted one by one, names kept. Into a video, a numbered pattern or the window, pictures are
    the frames of a film.

    Raises:
        SourceError: nothing found, or something without files among several.
        UserError: several files for an output that holds one.
    """
    found = [expand(text) for text in sources]
    into_folder = output is not None and (os.path.isdir(output) or not (output.suffix or is_numbered(output)))
    alone = found[0] is None and len(sources) == 1
    if alone and not (into_folder and os.path.isfile(sources[0])):
        return Single(sources[0])
    files = [path for text, paths in zip(sources, found, strict=True) for path in paths or [_existing(text)]]
    if into_folder:
        assert output is not None
        return Batch(tuple(_jobs(files, output)))
    if len(files) == 1:
        return Single(str(files[0]))
    other = next((path for path in files if path.suffix.lower() not in PICTURE_SUFFIXES), None)
    if other is not None:
        raise UserError(f"--source: {len(files)} files, among them {other}; give a folder as --output for them")
    if output is not None and is_still(output):
        raise UserError(
            f"--output {output}: one picture for {len(files)}; give a folder, a numbered name as in %04d.png, or a video"
        )
    return PictureFilm(tuple(files))


def expand(text: str) -> list[Path] | None:
    """The files that a folder, a numbered pattern (%04d) or a wildcard pattern names, in natural order.

    Returns:
        None where the text names neither: one file, a camera, an address.
    Raises:
        SourceError: a folder or pattern without pictures and videos.
    """
    path = Path(text)
    if os.path.isfile(path) or "://" in text:  # a name may hold brackets or a per cent sign
        return None
    if os.path.isdir(path):
        files = [entry for entry in _entries(path) if _has_known_suffix(entry)]
    elif is_numbered(path):
        files = numbered_files(path)
    elif _WILDCARD.search(text):
        files = [Path(name) for name in glob.glob(text, recursive=True)]
        files = [entry for entry in files if os.path.isfile(entry) and _has_known_suffix(entry)]
    else:
        return None
    if not files:
        raise SourceError(f"source {text}: no pictures or videos found there")
    return sorted(files, key=natural_order)


def is_numbered(path: Path) -> bool:
    """Whether a name has exactly one place for a number, as %d or %04d."""
    return len(_NUMBER.findall(path.name)) == 1


def is_numbered_output(output: Path) -> bool:
    """Whether an output is numbered pictures; the name of a video may hold a %d of its own."""
    return output.suffix.lower() in PICTURE_SUFFIXES and is_numbered(output)


def is_still(output: Path) -> bool:
    """Whether an output is one picture."""
    return output.suffix.lower() in PICTURE_SUFFIXES and not is_numbered(output)


def is_video(output: Path) -> bool:
    """Whether an output is a film, and not pictures."""
    return output.suffix.lower() not in PICTURE_SUFFIXES


def numbered_files(pattern: Path) -> list[Path]:
    """The files that a numbered pattern names, by their numbers; numbers may be missing."""
    return [entry for _, entry in _with_numbers(pattern)]


def numbered_results(pattern: Path) -> list[Path]:
    """Those of the files that writing by a numbered pattern would replace: of 1.png and 0001.png, %d.png names the first."""
    return [entry for number, entry in _with_numbers(pattern) if number and entry.name == numbered_name(pattern, number).name]


def _with_numbers(pattern: Path) -> list[tuple[int, Path]]:
    match = _NUMBER.search(pattern.name)
    assert match is not None
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    digits = f"\\d{{{match[1]},}}" if match[1] else r"\d+"
    name = re.compile(re.escape(before) + f"({digits})" + re.escape(after))
    return sorted((int(hit[1]), entry) for entry in _entries(pattern.parent) if (hit := name.fullmatch(entry.name)))


def numbered_name(pattern: Path, number: int) -> Path:
    """A numbered pattern with its number."""
    name = _NUMBER.sub(lambda match: str(number).zfill(int(match[1] or 0)), pattern.name)
    return pattern.with_name(name)


def natural_order(path: Path) -> tuple[str, list[tuple[int, str]]]:
    """Sorting key by which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return str(path.parent), [(int(part) if part.isdecimal() else -1, part) for part in parts]


def _jobs(files: list[Path], folder: Path) -> list[Job]:
    """Each file with its own name in a folder; where two share one, the later is numbered.

    Names that stay as they are go first: x.avi that is added beside x.mp4 must not take over the painting of that.
    """
    taken: set[str] = set()
    names = {
        number: _free_name(source.stem, source.suffix, taken) for number, source in enumerate(files) if _keeps_name(source)
    }
    names |= {number: _free_name(source.stem, ".mp4", taken) for number, source in enumerate(files) if number not in names}
    return [Job(source, folder / names[number]) for number, source in enumerate(files)]


def _keeps_name(source: Path) -> bool:
    return source.suffix.lower() in {*PICTURE_SUFFIXES, *WRITTEN_SUFFIXES}


def _free_name(stem: str, suffix: str, taken: set[str]) -> str:
    """A name that is not among those taken, to which it is added."""
    name, number = stem + suffix, 1
    while name.casefold() in taken:  # some file systems take a.jpg and A.JPG for the same
        number += 1
        name = f"{stem}_{number}{suffix}"
    taken.add(name.casefold())
    return name


def _existing(text: str) -> Path:
    if not os.path.isfile(text):
        raise SourceError(f"source {without_password(text)}: not a file; several sources must be files, folders or patterns")
    return Path(text)


def _entries(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if os.path.isfile(entry) and not entry.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"source {folder}: the folder cannot be read ({error.strerror})") from None


def _has_known_suffix(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES


def make_folder(folder: Path, option: str = "--output") -> None:
    """Makes an output folder.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{option} {folder}: the folder cannot be made ({error.strerror})") from None
