"""A style's networks and the style.json that describes them: both are written before either is replaced."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import onnx

from models.names import legible
from realtime.errors import ModelError, OutputError
from realtime.gallery import DESCRIPTION, LAST_PLACE, read_style
from realtime.program.written_paths import whole_file

FACTS = ("name", "title", "artist", "year", "licence")  # that every style has
MEASURED = ("style_error", "content_error", "flicker", "warp_error")  # of one network, not of those made from it


def read_description(folder: Path) -> dict[str, Any]:
    """A style's description that is to be added to.

    Raises:
        ModelError: missing, not JSON, or without a field that every style has.
    """
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"style {path}: cannot be read as JSON ({error}); export the style again") from None
    missing = [key for key in FACTS if key not in found] if isinstance(found, dict) else ["fields"]
    if missing:
        raise ModelError(f"style {path}: has no {', '.join(missing)}; export the style again")
    return dict(found)


def earlier_description(folder: Path) -> dict[str, Any]:
    """What a style that is to be replaced says of itself; nothing where there is none, or a damaged one.

    Raises:
        OutputError: it is there and cannot be read.
    """
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if os.path.lexists(path) else {}
    except (ValueError, RecursionError):
        return {}
    except OSError as error:
        raise OutputError(f"style {path}: cannot be replaced ({error.strerror})") from None
    return found if isinstance(found, dict) else {}


def known_sha256(style: dict[str, Any], tier: str, precision: str) -> str | None:
    """The SHA-256 of a network that a style's description tells; None where it tells none."""
    entry = _mapping(_mapping(_mapping(style.get("tiers")).get(tier)).get(precision))
    return str(entry["sha256"]) if "sha256" in entry else None


def put_network(
    folder: Path,
    style: dict[str, Any],
    tier: str,
    precision: str,
    partial: Path,
    parity: dict[str, float] | None = None,
    recipe: Any = None,
) -> Path:
    """Puts a network into a style's folder, with its entry in style.json beside the others that are there and still hold.

    Args:
        style: the description so far, with name, title, artist, year, licence and perhaps order, tiers and recipe.
        partial: the network, in the style's folder under another name.
        parity: how far it is from the one that it was made from.
        recipe: how it was trained; None leaves what is there.
    Returns:
        The network's place.
    Raises:
        OutputError: it cannot be written; what was there is as before.
    """
    name = f"{tier}.onnx" if precision == "fp32" else f"{tier}.{precision}.onnx"
    tiers = {key: dict(networks) for key, networks in _mapping(style.get("tiers")).items() if isinstance(networks, dict)}
    if precision == "fp32":
        tiers[tier] = {}  # the other precisions were made from the network that is replaced
    tiers.setdefault(tier, {})[precision] = file_entry(partial) | {"file": name} | (parity or {})
    recipes = _mapping(style.get("recipe")) | ({tier: recipe} if recipe else {})
    kept = {key: style[key] for key in FACTS} | {"order": style.get("order", LAST_PLACE)}
    replace_network(folder, kept | {"tiers": tiers, "recipe": recipes}, partial, name)
    return folder / name


def replace_network(folder: Path, style: dict[str, Any], partial: Path, name: str) -> None:
    """Puts a network and the description that names it in place, once both are written.

    Raises:
        OutputError: they cannot be written; what was there is as before, as it is after an interruption.
    """
    network, described, earlier = folder / name, folder / f"{DESCRIPTION}.partial", folder / f".{name}.earlier"
    try:
        text = json.dumps(style, indent=2, ensure_ascii=False) + "\n"
        described.write_text(text, encoding="utf-8", errors="replace")  # a name in it may be of bytes that are no text
        if os.path.isfile(network):
            shutil.copyfile(network, earlier)
        os.replace(partial, network)
        os.replace(described, folder / DESCRIPTION)
    except BaseException as error:
        if os.path.lexists(described) and not os.path.lexists(partial):  # between the two
            _take_back(network, earlier)
        if isinstance(error, OSError):
            raise OutputError(f"style {folder}: cannot be written ({error.strerror})") from None
        raise
    finally:
        for left in (described, earlier):
            with contextlib.suppress(OSError):
                left.unlink()


def _take_back(network: Path, earlier: Path) -> None:
    """Puts the network back that was there before, or none."""
    with contextlib.suppress(OSError):
        if os.path.lexists(earlier):
            os.replace(earlier, network)
        else:
            network.unlink()


def tell(folder: Path, tier: str, precision: str, words: dict[str, str], figures: dict[str, Any] | None = None) -> None:
    """Adds to a network's metadata, and figures to its entry in style.json.

    Raises:
        ModelError: the style's description cannot be used.
        OutputError: the style cannot be written; what was there is as before.
    """
    style = read_description(folder)
    name = read_style(folder / DESCRIPTION).models[tier][precision].path.name  # checked: a name, not a path elsewhere
    partial = folder / f".{name}"
    try:
        shutil.copyfile(folder / name, partial)
        write_metadata(partial, words)
        style["tiers"][tier][precision] |= (figures or {}) | file_entry(partial) | {"file": name}
        replace_network(folder, style, partial, name)
    except OSError as error:
        raise OutputError(f"style {folder}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)


def tell_all(folder: Path) -> None:
    """Has every network of a style say the same of it as its description does.

    Raises:
        ModelError: the style's description cannot be used.
        OutputError: the style cannot be written.
    """
    style = read_description(folder)
    facts = {key: str(style[key]) for key in FACTS}
    for tier, networks in read_style(folder / DESCRIPTION).models.items():
        for precision, model in networks.items():
            if not _tells(model.path, facts):
                tell(folder, tier, precision, facts)


def _tells(path: Path, facts: dict[str, str]) -> bool:
    """Whether a network's metadata say so; one that is not there or cannot be read is left as it is."""
    try:
        return facts.items() <= {entry.key: entry.value for entry in _read_model(path).metadata_props}.items()
    except ModelError:
        return True


def write_metadata(path: Path, values: dict[str, str], without: Collection[str] = ()) -> None:
    """Adds or replaces entries of an ONNX file's metadata_props.

    Args:
        without: entries that no longer hold.
    """
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key not in without}
    kept |= {key: legible(value) for key, value in values.items()}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    with whole_file(path) as partial:
        onnx.save(model, partial)


def graph_sha256(path: Path) -> str:
    """SHA-256 of an ONNX file without its metadata: the same network with other words about it gives the same.

    Raises:
        ModelError: not an ONNX file, or one that cannot be read.
    """
    model = _read_model(path)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]  # the exporter's own notes, in another order each time
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def file_entry(path: Path) -> dict[str, Any]:
    """File name, size and SHA-256, as style.json lists them."""
    data = path.read_bytes()
    return {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _read_model(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path, load_external_data=False)
    except Exception:  # protobuf's own, of no common base
        raise ModelError(f"{path}: not an ONNX model that can be read; export the style again") from None


def _mapping(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
