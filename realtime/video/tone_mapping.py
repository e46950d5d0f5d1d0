"""HDR pictures (PQ and HLG in BT.2020 colours) made into ordinary ones, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.frame import Image

PQ, HLG = 16, 18  # transfer characteristics as ITU-T H.273 numbers them
DEFAULT_PEAK_NITS = 1000.0
WHITE_NITS = 203.0  # what HDR calls diffuse white (BT.2408); white of the ordinary picture

_STEPS = 65536
_BRIGHTEST_NITS = 10000.0
_DISPLAY_GAMMA = 2.4  # BT.1886: what an ordinary display does to a signal
_HLG_GAMMA = 1.2  # BT.2100's system gamma for a display of 1000 nits
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# BT.2020 primaries to BT.709's, linear light, RGB (BT.2087, Table 4 inverted).
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)

Floats = npt.NDArray[np.float32]


class ToneMapper:
    """Maps frames of one transfer characteristic to BT.709 pictures.

    Args:
        transfer: PQ or HLG.
        peak_nits: brightest light in the video; brighter is clipped.
    """

    def __init__(self, transfer: int, peak_nits: float = DEFAULT_PEAK_NITS) -> None:
        self._transfer = transfer
        codes = np.linspace(0, 1, _STEPS)
        if transfer == PQ:
            self._light = np.minimum(pq_to_nits(codes), peak_nits).astype(np.float32)
        else:
            peak_nits = DEFAULT_PEAK_NITS
            self._light = hlg_to_scene(codes).astype(np.float32)
        nits = np.square(codes) * _BRIGHTEST_NITS  # steps even in the square root: fine where the eye is
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = compress_highlights(nits, peak_nits) / nits
        ratio[0] = ratio[1]
        self._ratio = ratio.astype(np.float32)
        self._signal = np.rint(255 * np.power(np.square(codes), 1 / _DISPLAY_GAMMA)).astype(np.uint8)

    def to_bgr(self, picture_rgb: npt.NDArray[np.uint16]) -> Image:
        """An ordinary picture.

        Args:
            picture_rgb: (H, W, 3) uint16, the signal of R, G, B in BT.2020, 0..65535.
        Returns:
            (H, W, 3) uint8 BGR, BT.709.
        """
        nits: Floats = self._light[picture_rgb]
        if self._transfer == HLG:
            nits = _hlg_display_nits(nits)
        # One factor for the three colours, taken from the strongest, keeps the hue.
        strongest = np.sqrt(nits.max(axis=2) / _BRIGHTEST_NITS) * (_STEPS - 1)
        nits *= self._ratio[np.minimum(strongest, _STEPS - 1).astype(np.uint16)][..., None]
        light = np.clip((nits / WHITE_NITS) @ _TO_709.T, 0, 1)
        picture = self._signal[(np.sqrt(light) * (_STEPS - 1)).astype(np.uint16)]
        return np.ascontiguousarray(picture[..., ::-1])


def pq_to_nits(signal: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Light of a PQ signal 0..1 in nits (SMPTE ST 2084, Eq. 4.1)."""
    m1, m2, c1, c2, c3 = _PQ
    power = np.power(np.asarray(signal, np.float64), 1 / m2)
    return _BRIGHTEST_NITS * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)


def nits_to_pq(nits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """PQ signal 0..1 of a light in nits (SMPTE ST 2084, Eq. 5.1)."""
    m1, m2, c1, c2, c3 = _PQ
    power = np.power(np.asarray(nits, np.float64) / _BRIGHTEST_NITS, m1)
    return np.power((c1 + c2 * power) / (1 + c3 * power), m2)


_PQ = (2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32)


def hlg_to_scene(signal: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Scene light 0..1 of an HLG signal 0..1 (BT.2100, Table 5, inverse OETF)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.asarray(signal, np.float64)
    return np.where(signal <= 0.5, np.square(signal) / 3, (np.exp((signal - c) / a) + b) / 12)


def _hlg_display_nits(scene: Floats) -> Floats:
    """BT.2100's OOTF: F_D = L_W Y_S^(gamma - 1) E_S, for a display of 1000 nits."""
    luminance = scene @ _LUMINANCE_2020
    return scene * (DEFAULT_PEAK_NITS * np.power(luminance, _HLG_GAMMA - 1))[..., None]


def compress_highlights(nits: npt.NDArray[Any], peak_nits: float) -> npt.NDArray[np.float64]:
    """Rolls the highlights off so that the peak becomes white and everything below a knee stays as it is.

    BT.2390's EETF: with E1 the PQ signal over the peak's, KS = 1.5 maxLum - 0.5, T = (E1 - KS) / (1 - KS),
        E2 = (2T^3 - 3T^2 + 1) KS + (T^3 - 2T^2 + T)(1 - KS) + (-2T^3 + 3T^2) maxLum    for E1 >= KS

    Args:
        nits: light of any shape.
        peak_nits: brightest light of the video; at or below white nothing is changed.
    Returns:
        nits of the same shape, at most WHITE_NITS.
    """
    nits = np.minimum(np.asarray(nits, np.float64), max(peak_nits, WHITE_NITS))
    if peak_nits <= WHITE_NITS:
        return nits
    top = nits_to_pq(peak_nits)
    signal = nits_to_pq(nits) / top
    white = float(nits_to_pq(WHITE_NITS) / top)
    knee = 1.5 * white - 0.5
    t = np.clip((signal - knee) / (1 - knee), 0, 1)
    rolled = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * white
    return np.where(signal < knee, nits, pq_to_nits(rolled * top))
