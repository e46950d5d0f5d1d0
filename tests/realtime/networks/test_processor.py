"""What the processor says of itself."""

from __future__ import annotations

import pytest

from realtime.networks import processor
from realtime.networks.processor import core_count, has_fast_int8, processor_features, processor_name


@pytest.mark.parametrize(
    ("cpuinfo", "features", "fast"),
    [
        ("flags : fpu avx2 avx512f avx512_vnni", ("avx512_vnni", "avx512f", "avx2"), True),
        ("flags : fpu avx2 avx_vnni", ("avx_vnni", "avx2"), True),
        ("Features : fp asimd asimddp i8mm", ("i8mm", "asimddp"), True),
        ("flags : fpu sse2 avx2", ("avx2",), False),
        ("", (), False),
    ],
)
def test_features_are_read_from_the_flags(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, features: tuple[str, ...], fast: bool
) -> None:
    monkeypatch.setattr(processor, "_cpuinfo", lambda: cpuinfo)
    monkeypatch.setattr(processor, "_sysctl", lambda name: "")
    assert processor_features() == features
    assert has_fast_int8() is fast


def test_apples_processors_are_asked_by_sysctl(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"hw.optional.arm.FEAT_DotProd": "1", "machdep.cpu.brand_string": "Apple M2"}
    monkeypatch.setattr(processor, "_cpuinfo", lambda: "")
    monkeypatch.setattr(processor, "_sysctl", lambda name: answers.get(name, ""))
    assert processor_features() == ("asimddp",)
    assert processor_name() == "Apple M2"


def test_name_is_the_makers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_cpuinfo", lambda: "processor : 0\nmodel name\t: Fast CPU @ 3 GHz\nflags : avx2")
    assert processor_name() == "Fast CPU @ 3 GHz"


def test_cores_are_those_this_process_may_use() -> None:
    assert core_count() >= 1
