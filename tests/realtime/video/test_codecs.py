"""--codec, --crf and --encoder: what goes together, and what is told where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import EXIT_ARGUMENTS, EXIT_OUTPUT, UserError
from realtime.video.codecs import CODECS, Encoding, choose_encoding, encoder_problem


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "h264"), ("A.MOV", "h264"), ("a.mkv", "h264"), ("a.webm", "vp9"), ("a.gif", "gif")]
)
def test_name_chooses_the_codec(name: str, codec: str) -> None:
    assert choose_encoding(Path(name), None, None, None) == Encoding(codec)


@pytest.mark.parametrize("codec", list(CODECS))
def test_every_codec_can_be_made_here(codec: str) -> None:
    assert encoder_problem(Encoding(codec)) == ""


@pytest.mark.parametrize(
    ("name", "codec", "encoder", "crf", "code", "reason"),
    [
        ("a.avi", None, None, None, EXIT_OUTPUT, r"expected a name ending in \.mp4"),
        ("a.webm", "h264", None, None, EXIT_ARGUMENTS, r"a \.webm file holds vp9, av1; name the output \*\.mp4"),
        ("a.mp4", "ffv1", None, None, EXIT_ARGUMENTS, r"name the output \*\.mkv"),
        ("a.mp4", None, None, 52, EXIT_ARGUMENTS, r"h264 takes 0 \(best\) to 51"),
        ("a.mkv", "ffv1", None, 3, EXIT_ARGUMENTS, "ffv1 has no such setting"),
        ("a.mkv", "ffv1", "nvenc", None, EXIT_ARGUMENTS, "cannot encode ffv1"),
        ("a.mp4", "h264", "videotoolbox", 20, EXIT_ARGUMENTS, "h264 by videotoolbox has no such setting"),
    ],
)
def test_what_does_not_go_together(
    name: str, codec: str | None, encoder: str | None, crf: int | None, code: int, reason: str
) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        choose_encoding(Path(name), codec, encoder, crf)
    assert caught.value.exit_code == code


def test_hardware_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.video.codecs.encoder_problem", lambda _: "no such hardware or driver")
    with pytest.raises(
        UserError, match="no working h264 encoder found \\(no such hardware or driver\\); omit --encoder"
    ) as caught:
        choose_encoding(Path("a.mp4"), None, "nvenc", None)
    assert caught.value.exit_code == EXIT_OUTPUT


def test_quality_reaches_the_encoder() -> None:
    assert Encoding("h264").options()["crf"] == "19"
    assert Encoding("h264", crf=30).options()["crf"] == "30"
    assert Encoding("h264", "nvenc", 30).options()["cq"] == "30"
    assert Encoding("hevc", "qsv").options()["global_quality"] == "22"
    assert Encoding("h264", "videotoolbox").bit_rate((640, 480), 30.0) == pytest.approx(1_400_000, rel=0.1)
    assert Encoding("h264").bit_rate((640, 480), 30.0) is None
