"""From a training run to a style: python -m export.to_onnx RUN --name NAME.

Writes styles/NAME/fast.onnx and style.json by the ONNX contract, after measuring that onnxruntime paints what
PyTorch paints.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch

import realtime.program.quiet  # noqa: F401
from export.description import FACTS, earlier_description, put_network, tell_all, write_metadata
from export.graph import FrameContract
from export.parity import LARGEST_DIFFERENCE, MEAN_DIFFERENCE, Parity, measure_parity
from models.checkpoint import generator_from_checkpoint, load_checkpoint
from models.folding import count_parameters, kilo_macs_per_pixel
from models.generator import Generator
from realtime.errors import EXIT_DONE, ModelError, OutputError, UserError
from realtime.gallery import DESCRIPTION, LAST_PLACE, NEW_STYLE_NAME, SHIPPED, user_styles_folder
from realtime.networks.layouts import CONTRACT_VERSION
from realtime.program import argument_types
from realtime.program.interruption import StopRequest, entry_point
from realtime.program.standard_streams import lose_unread

OPSET = 18
_PARITY_SIZES_HW = ((256, 320), (480, 640))
_LARGEST_SIDE = 16384


def export_generator(generator: Generator, path: Path) -> onnx.ModelProto:
    """Writes the graph of a generator by the ONNX contract, without metadata.

    Returns:
        The model as written.
    Raises:
        ModelError: this PyTorch's exporter does not know the nodes that bytes need.
        KeyboardInterrupt: asked for meanwhile; it comes when the exporter is done, which makes an error of its own of one.
    """
    contract = FrameContract(generator).eval()
    stride = generator.stride
    rows = torch.export.Dim("rows", min=1, max=_LARGEST_SIDE // stride)
    columns = torch.export.Dim("columns", min=1, max=_LARGEST_SIDE // stride)
    shapes = {"frame": {0: torch.export.Dim("batch", min=1, max=64), 1: stride * rows, 2: stride * columns}}
    example = torch.zeros(2, stride * 8, stride * 12, 3, dtype=torch.uint8)
    stop = StopRequest()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's concern
            torch.onnx.export(
                contract,
                (example,),
                str(path),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=["frame"],
                output_names=["styled"],
                dynamic_shapes=shapes,
                verbose=False,
            )
    finally:
        stop.restore()
    if stop.requested:
        raise KeyboardInterrupt
    model = onnx.load(path)
    for value in (model.graph.input[0], model.graph.output[0]):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", "height", "width"), strict=False):
            dimension.dim_param = name
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:  # the exporter writes the builder's own paths and stack traces into every node
        del node.metadata_props[:]
        node.doc_string = ""
    if sum(node.op_type == "QuantizeLinear" for node in model.graph.node) != 1:  # before 2.8 the way for PyTorch is written
        raise ModelError(f'export: PyTorch {torch.__version__} is too old to write it; python -m pip install -U "torch>=2.8"')
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return model


def export_run(run: Path, folder: Path, facts: dict[str, Any], replace: bool = False) -> Parity:
    """Makes a style folder from a run.

    Args:
        run: folder or file of a checkpoint.
        folder: of the style, made if need be.
        facts: name, and what of title, artist, year, licence and order is not to stay as it was.
        replace: whether an existing style may be replaced.
    Raises:
        UserError: a checkpoint that cannot be used, a folder that cannot be written, parity out of bounds.
    """
    content = load_checkpoint(run)
    generator = generator_from_checkpoint(content)
    tier = generator.settings.tier
    if os.path.exists(folder / DESCRIPTION) and not replace and not _lacks(folder, tier):
        raise OutputError(f"style {folder}: exists already; add --overwrite to replace it")
    is_new = not os.path.lexists(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"style {folder}: cannot be made ({error.strerror})") from None
    partial = folder / f".{tier}.partial.onnx"
    try:
        style = _described(folder, facts)
        export_generator(generator, partial)
        parity = measure_parity(generator, partial, _PARITY_SIZES_HW)
        if not parity.is_good:
            raise ModelError(
                f"export: onnxruntime differs from PyTorch by up to {parity.largest} grey levels "
                f"({parity.mean:.3f} in the mean), allowed are {LARGEST_DIFFERENCE} and {MEAN_DIFFERENCE}"
            )
        metadata = {key: str(style[key]) for key in FACTS}
        metadata |= {"contract": CONTRACT_VERSION, "tier": tier, "precision": "fp32", "stride": str(generator.stride)}
        metadata["generator"] = describe(generator)
        write_metadata(partial, metadata)
        found = {"parity_largest": parity.largest, "parity_mean": round(parity.mean, 5)}
        put_network(folder, _described(folder, facts), tier, "fp32", partial, found, content.get("recipe"))
        for stale in ("int8", "fp16"):  # made from the network that was replaced
            (folder / f"{tier}.{stale}.onnx").unlink(missing_ok=True)
        tell_all(folder)
    except OSError as error:
        raise OutputError(f"style {folder}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
        if is_new:
            with contextlib.suppress(OSError):  # not empty: it is done
                folder.rmdir()
    return parity


def _described(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """A style's description as it is now, with what the command line says."""
    return _unstated(facts["name"]) | earlier_description(folder) | facts


def _unstated(name: str) -> dict[str, Any]:
    """What a style says of itself where neither the command line nor an earlier export does."""
    return {"title": name.replace("_", " ").capitalize(), "artist": "", "year": "", "licence": "", "order": LAST_PLACE}


def _lacks(folder: Path, tier: str) -> bool:
    """Whether a style is there that has no network of this tier yet, so that nothing is replaced."""
    tiers = earlier_description(folder).get("tiers")
    return isinstance(tiers, dict) and tier not in tiers


def describe(generator: Generator) -> str:
    """A generator in one line, for the metadata."""
    settings = generator.settings
    parts = [f"stem {settings.stem_width}", f"trunk {settings.trunk_width} x {settings.blocks} residual blocks"]
    parts += ["instance normalisation"] * settings.normalised
    parts += [f"{count_parameters(generator)} parameters", f"{kilo_macs_per_pixel(generator, 1024):.1f} kMAC per pixel"]
    return ", ".join(parts)


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m export.to_onnx."""
    parser = argument_types.Parser(prog="python -m export.to_onnx", description="Make a style folder from a training run.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a training, or its checkpoint")
    parser.add_argument("--name", required=True, help="small letters, digits and _")
    parser.add_argument("--title", help="default, as for the next four: the existing style's, else made from --name or empty")
    parser.add_argument("--artist")
    parser.add_argument("--year")
    parser.add_argument("--licence")
    parser.add_argument("--order", type=int, help="place in the gallery, which also numbers the keys; default: 1000, the end")
    parser.add_argument("--styles", type=Path, metavar="DIR", help="default: your own gallery; --shipped for the project's")
    parser.add_argument("--shipped", action="store_true", help="write into the project's own styles/")
    parser.add_argument("--overwrite", action="store_true")
    return parser


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    args = build_parser().parse_args(argv)
    base = SHIPPED if args.shipped else args.styles or user_styles_folder()
    if not NEW_STYLE_NAME.fullmatch(args.name):
        raise UserError(f"--name {args.name}: expected small letters, digits and _, beginning with a letter or digit")
    stated = {key: getattr(args, key) for key in ("title", "artist", "year", "licence", "order")}
    facts = {"name": args.name, **{key: value for key, value in stated.items() if value is not None}}
    parity = export_run(args.run, base / args.name, facts, args.overwrite)
    difference = f"at most {parity.largest} grey levels, {parity.mean:.4f} in the mean"
    print(f"{base / args.name}: PyTorch and onnxruntime differ by {difference}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
