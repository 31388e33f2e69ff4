"""CIE L*a*b* under D65, to and from coded RGB, and the chroma that gives a film's own luma a colour.

Shape suffixes: 3 is (red, green, blue) or (L, a, b); 2 is (a, b); H rows, W columns. RGB is coded (R'G'B'),
in [0, 1], with sRGB's curve; luma Y' is in [0, 1], Cb and Cr are in [-0.5, 0.5].

Sources: CIE 15:2018 (L*a*b*), IEC 61966-2-1 (sRGB's curve), ITU-R BT.601, BT.709 and BT.2020 (matrices,
primaries).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Matrix = Literal["bt709", "bt601", "bt2020"]

_WHITE_3 = np.array([0.95047, 1.0, 1.08883], np.float32)
# Seven steps bring 99 of 100 colours of the whole cube back to 0.03 of ab; film's muted ones need fewer.
_STEPS = 7
_NEAR = 1e-4


@dataclass(frozen=True)
class _Primaries:
    """How coded RGB becomes luma and light."""

    luma_3: Float
    """Kr, Kg, Kb."""
    xyz_33: Float
    """From linear RGB to XYZ, white at Y = 1."""


_BT709_33 = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    np.float32,
)
_BT2020_33 = np.array(
    [[0.6369580, 0.1446169, 0.1688810], [0.2627002, 0.6779981, 0.0593017], [0.0, 0.0280727, 1.0609851]],
    np.float32,
)
# BT.601's two sets of primaries lie near BT.709's and are seldom known; its matrix is what counts here.
_OF: dict[Matrix, _Primaries] = {
    "bt709": _Primaries(np.array([0.2126, 0.7152, 0.0722], np.float32), _BT709_33),
    "bt601": _Primaries(np.array([0.299, 0.587, 0.114], np.float32), _BT709_33),
    "bt2020": _Primaries(np.array([0.2627, 0.6780, 0.0593], np.float32), _BT2020_33),
}


def lab_of_rgb(rgb_3HW: Float, matrix: Matrix = "bt709") -> Float:
    """L (0 to 100), a, b of coded RGB; `matrix` names its primaries."""
    light_3HW = np.tensordot(_OF[matrix].xyz_33, _linear(rgb_3HW), axes=1) / _WHITE_3[:, None, None]
    f_3HW = np.where(light_3HW > 216 / 24389, np.cbrt(light_3HW), light_3HW * (841 / 108) + 4 / 29)
    lab_3HW: Float = np.stack(
        [116 * f_3HW[1] - 16, 500 * (f_3HW[0] - f_3HW[1]), 200 * (f_3HW[1] - f_3HW[2])]
    ).astype(np.float32)
    return lab_3HW


def rgb_of_lab(lab_3HW: Float, matrix: Matrix = "bt709") -> Float:
    """Coded RGB of L, a, b: outside [0, 1] where the colour is outside the gamut."""
    light_3HW = _light(lab_3HW[0], lab_3HW[1:])
    linear_3HW = np.tensordot(_inverse(matrix), light_3HW, axes=1)
    return _coded(linear_3HW)


def chroma_for(luma_HW: Float, ab_2HW: Float, matrix: Matrix) -> Float:
    """Cb and Cr, (2, H, W), that give this luma that a and b: the luma itself stays as it is.

    The lightness L whose colour (L, a, b) has this luma is looked for; where that colour leaves the gamut its
    chroma is pulled in, so that R', G' and B' stay in [0, 1]. Luma outside [0, 1] gets no chroma.
    """
    primaries = _OF[matrix]
    target_HW: Float = np.clip(luma_HW, 0, 1).astype(np.float32)
    grey_HW = target_HW
    met_HW, moved_HW = np.zeros_like(target_HW), np.zeros_like(target_HW)
    for _ in range(_STEPS):
        rgb_3HW = rgb_of_lab(np.concatenate([lightness_of_grey(grey_HW)[None], ab_2HW]), matrix)
        before_HW = met_HW
        met_HW = np.tensordot(primaries.luma_3, rgb_3HW, axes=1).astype(np.float32)
        # The secant's slope; near 1 for a grey, which is where the first step and those hardly moved stand.
        still_HW = np.abs(moved_HW) < 1e-5
        rise_HW = (met_HW - before_HW) / np.where(still_HW, 1, moved_HW)
        slope_HW = np.where(still_HW, 1, np.clip(rise_HW, 0.3, 3)).astype(np.float32)
        moved_HW = np.clip(grey_HW + (target_HW - met_HW) / slope_HW, 0, 1) - grey_HW
        if np.abs(moved_HW).max() < _NEAR:
            break
        grey_HW = (grey_HW + moved_HW).astype(np.float32)
    beyond_2HW = np.stack([rgb_3HW[2] - met_HW, rgb_3HW[0] - met_HW])
    span_2 = 2 * (1 - primaries.luma_3[[2, 0]])
    chroma_2HW = (beyond_2HW / span_2[:, None, None]).astype(np.float32)
    apart_3HW = rgb_of_ycc(np.zeros_like(target_HW), chroma_2HW, matrix)
    room_3HW = np.where(apart_3HW > 0, 1 - target_HW, target_HW)
    kept_HW = np.min(room_3HW / np.maximum(np.abs(apart_3HW), 1e-6), axis=0)
    kept_HW = np.where((luma_HW < 0) | (luma_HW > 1), 0, np.minimum(kept_HW, 1))
    return (chroma_2HW * kept_HW).astype(np.float32)


def rgb_of_ycc(luma_HW: Float, chroma_2HW: Float, matrix: Matrix) -> Float:
    """Coded RGB of Y', Cb and Cr."""
    red, _, blue = _OF[matrix].luma_3
    red_HW = luma_HW + 2 * (1 - red) * chroma_2HW[1]
    blue_HW = luma_HW + 2 * (1 - blue) * chroma_2HW[0]
    green_HW = (luma_HW - red * red_HW - blue * blue_HW) / (1 - red - blue)
    return np.stack([red_HW, green_HW, blue_HW]).astype(np.float32)


def lab_of_ycc(luma_HW: Float, chroma_2HW: Float, matrix: Matrix) -> Float:
    """L, a, b of Y', Cb and Cr: what `chroma_for` came to, or what a coloured source shows."""
    return lab_of_rgb(rgb_of_ycc(luma_HW, chroma_2HW, matrix), matrix)


def lightness_of_grey(grey_HW: Float) -> Float:
    """L of a coded grey, which nearly is that of any colour of the same luma."""
    light_HW = _linear(grey_HW)
    lightness_HW: Float = np.where(
        light_HW > 216 / 24389, 116 * np.cbrt(light_HW) - 16, light_HW * (24389 / 27)
    ).astype(np.float32)
    return lightness_HW


def _light(lightness_HW: Float, ab_2HW: Float) -> Float:
    """XYZ of L, a, b."""
    y_HW = (lightness_HW + 16) / 116
    f_3HW = np.stack([y_HW + ab_2HW[0] / 500, y_HW, y_HW - ab_2HW[1] / 200])
    light_3HW: Float = np.where(f_3HW > 6 / 29, f_3HW * f_3HW * f_3HW, (f_3HW - 4 / 29) * (108 / 841))
    return light_3HW * _WHITE_3[:, None, None]


def _inverse(matrix: Matrix) -> Float:
    return np.linalg.inv(_OF[matrix].xyz_33).astype(np.float32)


def _linear(coded: Float) -> Float:
    """Light of a coded value; straight on below 0."""
    curve = ((np.maximum(coded, 0.04045) + 0.055) / 1.055) ** np.float32(2.4)
    return np.where(coded > 0.04045, curve, coded / 12.92).astype(np.float32)


def _coded(light: Float) -> Float:
    """The coded value of light; straight on below 0."""
    curve = 1.055 * np.maximum(light, 0.0031308) ** np.float32(1 / 2.4) - 0.055
    return np.where(light > 0.0031308, curve, light * 12.92).astype(np.float32)
