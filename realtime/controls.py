"""One table of keys, and what each does to the state of the live picture: pure, no window, no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

STRENGTH_STEP = 0.1
PROCESSING_STEPS = (0.25, 0.35, 0.5, 0.7, 0.85, 1.0)  # shares of the source's width and height


class Command(Enum):
    """What a key asks for."""

    PICK = "pick a style"
    NEXT = "next style"
    PREVIOUS = "previous style"
    ORIGINAL = "original picture"
    STRONGER = "stronger"
    WEAKER = "weaker"
    COLOURS = "keep the photo's colours"
    SPLIT = "split view"
    SMALLER = "smaller processing size (faster)"
    LARGER = "larger processing size (finer)"
    SNAPSHOT = "snapshot"
    RECORD = "record, stop recording"
    REPAINT = "snapshot, re-painted slowly"
    CANCEL_REPAINT = "cancel the re-painting"
    MIRROR = "mirror"
    FULLSCREEN = "full screen"
    DIAGNOSTICS = "diagnostics"
    HELP = "help"
    QUIT = "quit"


@dataclass(frozen=True)
class KeyBinding:
    """Keys for a command, as the help screen names them and as the window reports them."""

    label: str
    keys: tuple[int, ...]
    command: Command


def _codes(letters: str) -> tuple[int, ...]:
    return tuple(ord(letter) for letter in letters)


# Arrow keys as GTK and Qt on Linux, Windows, and macOS report them.
_RIGHT = (0xFF53, 2555904, 63235)
_LEFT = (0xFF51, 2424832, 63234)
_ESCAPE = 27

KEY_TABLE = (
    KeyBinding("1-9", _codes("123456789"), Command.PICK),
    KeyBinding("N or right", (*_codes("nN"), *_RIGHT), Command.NEXT),
    KeyBinding("P or left", (*_codes("pP"), *_LEFT), Command.PREVIOUS),
    KeyBinding("O", _codes("oO"), Command.ORIGINAL),
    KeyBinding("+", _codes("+="), Command.STRONGER),
    KeyBinding("-", _codes("-_"), Command.WEAKER),
    KeyBinding("C", _codes("cC"), Command.COLOURS),
    KeyBinding("V", _codes("vV"), Command.SPLIT),
    KeyBinding("[", _codes("[{"), Command.SMALLER),
    KeyBinding("]", _codes("]}"), Command.LARGER),
    KeyBinding("S", _codes("sS"), Command.SNAPSHOT),
    KeyBinding("R", _codes("rR"), Command.RECORD),
    KeyBinding("G", _codes("g"), Command.REPAINT),
    # X too: OpenCV's Qt reports Shift by itself, and two keys between two frames as one.
    KeyBinding("Shift+G or X", _codes("GxX"), Command.CANCEL_REPAINT),
    KeyBinding("M", _codes("mM"), Command.MIRROR),
    KeyBinding("F", _codes("fF"), Command.FULLSCREEN),
    KeyBinding("D", _codes("dD"), Command.DIAGNOSTICS),
    KeyBinding("H", _codes("hH?"), Command.HELP),
    KeyBinding("Q or Esc", (*_codes("qQ"), _ESCAPE), Command.QUIT),
)
_BY_KEY = {key: binding.command for binding in KEY_TABLE for key in binding.keys}


@dataclass(frozen=True)
class KeyPress:
    """A command, with the style's number for PICK."""

    command: Command
    style: int = 0


@dataclass(frozen=True)
class ControlState:
    """Everything the keys change. A new one holds from the next frame on."""

    style: int = 0
    style_count: int = 1
    shows_original: bool = False
    strength: float = 1.0
    colours_of_photo: bool = False
    split: bool = False
    processing_share: float = 1.0
    adapts: bool = False  # the share follows the machine; [ and ] take it over
    mirror: bool = False
    fullscreen: bool = False
    diagnostics: bool = False
    help: bool = False
    snapshots_asked: int = 0
    recording: bool = False
    repaints_asked: int = 0
    repaints_cancelled: int = 0
    quit: bool = False

    @property
    def effective_strength(self) -> float:
        """Strength as it is shown: 0 while the original is."""
        return 0.0 if self.shows_original else self.strength


def interpret_key(code: int) -> KeyPress | None:
    """The command of a key as OpenCV's window reports it; None for no key and for keys without meaning.

    Args:
        code: of cv2.waitKeyEx or cv2.pollKey, modifiers in the upper bits.
    """
    if code < 0:
        return None
    for candidate in (code, code & 0xFFFF, code & 0xFF if code & 0xFF00 == 0 else -1):
        command = _BY_KEY.get(candidate)
        if command is not None:
            return KeyPress(command, candidate - ord("1") if command is Command.PICK else 0)
    return None


def apply_command(state: ControlState, press: KeyPress) -> ControlState:
    """The state after a key press; the same state where the key changes nothing."""
    match press.command:
        case Command.PICK:
            return _with_style(state, press.style) if press.style < state.style_count else state
        case Command.NEXT:
            return _with_style(state, (state.style + 1) % state.style_count)
        case Command.PREVIOUS:
            return _with_style(state, (state.style - 1) % state.style_count)
        case Command.ORIGINAL:
            return replace(state, shows_original=not state.shows_original)
        case Command.STRONGER:
            return replace(state, strength=min(1.0, round(state.strength + STRENGTH_STEP, 2)), shows_original=False)
        case Command.WEAKER:
            return replace(state, strength=max(0.0, round(state.strength - STRENGTH_STEP, 2)), shows_original=False)
        case Command.COLOURS:
            return replace(state, colours_of_photo=not state.colours_of_photo)
        case Command.SPLIT:
            return replace(state, split=not state.split)
        case Command.SMALLER:
            smaller = [share for share in PROCESSING_STEPS if share < state.processing_share]
            return replace(state, processing_share=smaller[-1] if smaller else state.processing_share, adapts=False)
        case Command.LARGER:
            larger = [share for share in PROCESSING_STEPS if share > state.processing_share]
            return replace(state, processing_share=larger[0] if larger else state.processing_share, adapts=False)
        case Command.SNAPSHOT:
            return replace(state, snapshots_asked=state.snapshots_asked + 1)
        case Command.RECORD:
            return replace(state, recording=not state.recording)
        case Command.REPAINT:
            return replace(state, repaints_asked=state.repaints_asked + 1)
        case Command.CANCEL_REPAINT:
            return replace(state, repaints_cancelled=state.repaints_cancelled + 1)
        case Command.MIRROR:
            return replace(state, mirror=not state.mirror)
        case Command.FULLSCREEN:
            return replace(state, fullscreen=not state.fullscreen)
        case Command.DIAGNOSTICS:
            return replace(state, diagnostics=not state.diagnostics)
        case Command.HELP:
            return replace(state, help=not state.help)
        case Command.QUIT:
            return replace(state, quit=True)


def _with_style(state: ControlState, style: int) -> ControlState:
    return replace(state, style=style, shows_original=False)
