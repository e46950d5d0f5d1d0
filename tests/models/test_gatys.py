"""The command line of the optimisation of stills: pictures in, a picture or one line out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from PIL import Image

from models.gatys import main
from models.stills import files as gatys_files
from models.stills.arguments import build_parser, settings_of
from tests.fakes import wait_until, write_style
from tests.models.stills.fakes import painting, photo, picture_file, weights_file
from tests.program import StreamWithoutReader

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ["--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1=0.5"]
SHORT = ["--size", "48", "--levels", "1", "--iterations", "3", "--precision", "float32", "--threads", "1"]


class Desk:
    """A folder with everything that a run needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content = picture_file(folder / "photo.png", photo())
        self.style = picture_file(folder / "painting.png", painting())
        self.output = folder / "out.png"
        self.vgg = weights_file(folder)

    def arguments(self, *more: str) -> list[str]:
        """A short run; what comes later on a command line holds."""
        common = [str(self.content), str(self.style), "-o", str(self.output), "--vgg", str(self.vgg)]
        return [*common, *LAYERS, *SHORT, *more]

    def run(self, *more: str) -> int:
        return main(self.arguments(*more))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_picture_is_painted_and_says_how(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("--seconds", "900") == 0
    with Image.open(desk.output) as opened:
        assert opened.size == (48, 40)
        recipe = json.loads(opened.text["StyleCam"])
    assert (recipe["size"], recipe["seconds"]) == (48, 900)
    assert recipe["took_s"] < 900
    assert recipe["style_layers"] == {"relu1_1": 1.0, "relu2_1": 0.5}
    assert recipe["styles"] == ["painting.png"]
    assert str(desk.folder) not in json.dumps(recipe)
    shown = capsys.readouterr()
    assert "loss" in shown.out
    assert shown.err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
@pytest.mark.parametrize("options", [[], ["--progress-lines"]])
def test_a_name_that_is_no_text_is_no_hindrance(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    desk.content = desk.content.rename(tmp_path / os.fsdecode(b"photo\xe9.png"))
    desk.output = tmp_path / os.fsdecode(b"caf\xe9.png")
    assert desk.run(*options) == 0
    assert f"{tmp_path}/caf\\udce9.png" in capsys.readouterr().out.splitlines()[-1]
    assert desk.output.is_file()


def test_progress_comes_as_json_lines_with_a_small_picture(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    small = desk.folder / "small.png"
    assert desk.run("--progress-lines", "--progress-picture", str(small)) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first, last = lines[0], lines[-1]
    assert first["event"] == "progress"
    assert set(first) == {"event", "share", "step", "steps", "seconds", "remaining_s", "loss", "picture"}
    assert first["step"] == 1 and first["steps"] == 3 and 0 < first["share"] <= 1
    assert first["picture"] == str(small)
    assert cv2.imread(str(small)).shape == (40, 48, 3)
    assert last == {"event": "done", "output": str(desk.output), "seconds": last["seconds"], "loss": last["loss"]}


@pytest.mark.parametrize("which", ["content", "style", "mask", "init", "output", "link to the content"])
def test_the_small_picture_replaces_nothing_that_is_read_nor_the_output(
    which: str, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, init = (picture_file(desk.folder / name, photo()) for name in ("mask.png", "init.png"))
    places = {"content": desk.content, "style": desk.style, "mask": mask, "init": init, "output": desk.output}
    if which not in places:
        places[which] = desk.folder / "link.png"
        os.link(desk.content, places[which])
    before = {path: path.read_bytes() for path in desk.folder.glob("*.png")}
    more = ["--masks", str(mask), "--init", str(init), "--overwrite"]
    assert desk.run("--progress-picture", str(places[which]), *more) == 5
    said = capsys.readouterr().err
    assert said.startswith(f"error: --progress-picture {places[which]}: is the {'output' if which == 'output' else 'source'}")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in desk.folder.glob("*.png")} == before


def test_the_small_picture_replaces_no_other_file_unasked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    small = picture_file(desk.folder / "small.png", photo())
    before = small.read_bytes()
    assert desk.run("--progress-picture", str(small)) == 5
    assert f"--progress-picture {small}: exists already; add --overwrite to replace it" in capsys.readouterr().err
    assert small.read_bytes() == before
    assert desk.run("--progress-picture", str(small), "--overwrite") == 0
    assert small.read_bytes() != before


def test_a_style_of_the_gallery_is_its_exemplar(desk: Desk) -> None:
    styles = desk.folder / "styles"
    write_style(styles, "night_sky", order=1)
    picture_file(styles / "night_sky" / "exemplar.jpg", painting())
    desk.style = Path("night_sky")
    assert desk.run("--styles", str(styles)) == 0
    with Image.open(desk.output) as opened:
        assert json.loads(opened.text["StyleCam"])["styles"] == ["night_sky"]


def test_a_style_without_exemplar_says_how_to_make_one(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    styles = desk.folder / "styles"
    write_style(styles, "night_sky", order=1)
    desk.style = Path("night_sky")
    assert desk.run("--styles", str(styles)) == 4
    assert "models.exemplar" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--content-layers", "relu4_9"], 2, "no relu4_9; known: conv1_1"),
        (["--style-layers", "relu1_1=lots"], 2, "lots is no weight"),
        (["--style-weight", "-1"], 2, "style weight: expected a number of at least 0, found -1"),
        (["--style-weight", "0", "--content-weight", "0"], 2, "both 0"),
        (["--style-weights", "1", "2"], 2, "2 given for 1 styles"),
        (["--size", "9000"], 2, "expected 32 to 2048"),
        (["--scaling", "published", "--statistics", "covariance"], 2, "use relative"),
        (["--device", "cuda:77"], 2, "not available here"),
        (["--device", "mps"], 2, "expected auto, cpu, cuda or cuda:N"),
        (["--device", "meta"], 2, "expected auto, cpu, cuda or cuda:N"),
        (["--vgg", "gone.pth"], 4, "cannot be read"),
        (["-o", "nowhere/out.png"], 5, "the folder nowhere does not exist"),
        (["-o", "out.xyz"], 5, "expected .png"),
        (["-o", "out.jpg", "--bits", "16"], 5, "no 16 bits"),
        (["--init", "gone.png"], 3, "cannot be read"),
        (["--save-every", "0"], 2, "at least 1"),
        (["-o", "x" * 250 + ".png"], 5, "File name too long"),
        (["--init", "x" * 300 + ".png"], 3, "File name too long"),
    ],
)
def test_mistakes_give_one_line(
    more: list[str], code: int, words: str, desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    assert desk.run(*more) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not desk.output.exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--learning-rate", "0.5"], "--learning-rate 0.5: has no effect, the optimiser is lbfgs; add --optimiser adam"),
        (["--optimiser", "adam", "--history", "5"], "--history 5: has no effect, the optimiser is adam; add --optimiser lbfgs"),
        (["--coarse-factor", "2"], "--coarse-factor 2.0: has no effect, there is one size; add --levels 2 or more"),
        (["--learning-rate", "0.5", "--optimiser", "adam"], None),
        (["--history", "5", "--coarse-factor", "2", "--levels", "2"], None),
    ],
)
def test_options_without_effect_are_told(
    more: list[str], words: str | None, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = build_parser().parse_args(desk.arguments(*more))
    settings_of(arguments)
    assert capsys.readouterr().err == ("" if words is None else f"note: {words}\n")
    arguments.quiet = True
    settings_of(arguments)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("which", ["content", "style", "mask", "init"])
def test_what_is_read_is_not_written_over(desk: Desk, which: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"mask": ["--masks", str(desk.folder / "mask.png")], "init": ["--init", str(desk.folder / "init.png")]}
    places = {"content": desk.content, "style": desk.style}
    desk.output = places.get(which) or picture_file(desk.folder / f"{which}.png", photo())
    before = desk.output.read_bytes()
    assert desk.run("--overwrite", *more.get(which, [])) == 5
    assert f"--output {desk.output}: is the source itself" in capsys.readouterr().err
    assert desk.output.read_bytes() == before


def test_pictures_of_steps_do_not_fall_on_what_is_read(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.content = picture_file(desk.folder / "out_000001.png", photo())
    assert desk.run("--overwrite", "--save-every", "1") == 5
    assert f"--save-every {desk.content}: is the source itself" in capsys.readouterr().err


def test_pictures_that_cannot_be_used_are_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.content.write_bytes(b"no picture")
    assert desk.run() == 3
    assert "photo.png: not a picture" in capsys.readouterr().err
    picture_file(desk.content, photo()[:, :9])
    assert desk.run() == 2
    assert "content: 48x9 pixels" in capsys.readouterr().err
    picture_file(desk.content, photo())
    for wanted, hint in (("misspelt_style", "the known ones: "), ("screem", "did you mean munch_the_scream?")):
        desk.style = Path(wanted)
        assert desk.run() == 4
        assert f"style {wanted}: no such file and no such style; {hint}" in capsys.readouterr().err


def test_a_mask_of_another_size_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    mask = picture_file(desk.folder / "mask.png", photo()[:, :, :32])
    assert desk.run("--masks", str(mask)) == 2
    assert "mask: expected the content's size, 48x40, found 32x40" in capsys.readouterr().err
    assert desk.run("--masks", str(mask), "none") == 2


def test_a_picture_that_exists_is_kept(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.output.write_bytes(b"dear to somebody")
    assert desk.run() == 5
    assert "--overwrite" in capsys.readouterr().err
    assert desk.output.read_bytes() == b"dear to somebody"
    assert desk.run("--overwrite") == 0


def test_a_disk_that_is_full_at_the_end_gives_the_picture_a_second_place(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = desk.folder / "spare"
    spare.mkdir()
    whole = gatys_files.write_whole

    def fails_beside(path: Path, data: bytes) -> None:
        if path.parent == desk.folder:
            raise OSError(28, "No space left on device")
        whole(path, data)

    monkeypatch.setattr(gatys_files, "write_whole", fails_beside)
    monkeypatch.setattr(gatys_files.tempfile, "tempdir", str(spare))
    assert desk.run("--progress-lines") == 5
    shown = capsys.readouterr()
    assert f"No space left on device); the picture lies in {spare / 'out.png'}" in shown.err
    assert json.loads(shown.out.splitlines()[-1])["output"] == str(spare / "out.png")
    assert cv2.imread(str(spare / "out.png")).shape == (40, 48, 3)


def test_pictures_on_the_way_are_kept(desk: Desk) -> None:
    assert desk.run("--iterations", "5", "--save-every", "2") == 0
    names = sorted(path.name for path in desk.folder.glob("out*"))
    assert names == ["out.png", "out_000002.png", "out_000004.png"]


def test_pictures_on_the_way_replace_nothing_unasked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    kept = desk.folder / "out_000002.png"
    kept.write_bytes(b"dear to somebody")
    assert desk.run("--iterations", "5", "--save-every", "2") == 5
    assert "out_000002.png: exists already; add --overwrite to replace it" in capsys.readouterr().err
    assert kept.read_bytes() == b"dear to somebody"
    assert not desk.output.exists()
    assert desk.run("--iterations", "5", "--save-every", "2", "--overwrite") == 0
    assert cv2.imread(str(kept)).shape == (40, 48, 3)


@pytest.mark.parametrize("options", [[], ["--progress-lines"]])
def test_a_reader_that_goes_before_the_last_line_takes_no_picture_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    class LeavesBeforeTheEnd(StreamWithoutReader):
        def write(self, text: str) -> int:
            return len(text) if '"progress"' in text or text == "\n" else super().write(text)

    monkeypatch.setattr(sys, "stdout", LeavesBeforeTheEnd())
    assert desk.run(*options) == 0
    assert desk.output.is_file()


def test_16_bits_are_16_bits(desk: Desk) -> None:
    assert desk.run("--bits", "16") == 0
    levels = cv2.imread(str(desk.output), cv2.IMREAD_UNCHANGED)
    assert levels.dtype.name == "uint16"
    assert (levels % 257 != 0).any()


def test_the_same_seed_gives_the_same_file_content(desk: Desk) -> None:
    pictures = []
    for seed in ("1", "1", "2"):
        assert desk.run("--init", "noise", "--seed", seed, "--overwrite") == 0
        pictures.append(cv2.imread(str(desk.output)).tobytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_sigterm_ends_it_with_130_and_no_file(desk: Desk) -> None:
    command = [sys.executable, "-m", "models.gatys", *desk.arguments("--iterations", "100000", "--progress-lines")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as worker:
        assert worker.stdout is not None
        assert json.loads(worker.stdout.readline())["event"] == "progress"
        worker.send_signal(signal.SIGTERM)
        _, error = worker.communicate(timeout=60)
    assert worker.returncode == 130
    assert error == "interrupted\n"
    assert not [path for path in desk.folder.iterdir() if path.name not in ("photo.png", "painting.png", "vgg.pth")]


def test_a_reader_that_goes_ends_it_without_a_word(desk: Desk) -> None:
    command = [sys.executable, "-m", "models.gatys", *desk.arguments("--iterations", "100000", "--progress-lines")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None and worker.stderr is not None
        worker.stdout.readline()
        worker.stdout.close()
        wait_until(lambda: worker.poll() is not None, timeout_s=60)
        assert worker.poll() == 130
        assert "Traceback" not in worker.stderr.read()
