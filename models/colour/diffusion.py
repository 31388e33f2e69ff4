"""Chroma spread from where it is known to where it is not, stopping at edges of luma.

Shape suffixes: C planes, h rows, w columns.

Source: Levin, Lischinski and Weiss, "Colorization using Optimization", SIGGRAPH 2004: neighbours of like luma
have like colours. Solved here as sum_r c_r (u_r - t_r)^2 + sum_rs w_rs (u_r - u_s)^2 with w_rs symmetric, so
that conjugate gradients apply, without a matrix.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Of luma: contrast under this is grain, not an edge.
_GRAIN = 0.02
# No wall is quite tight, or a closed region without a known pixel would have no answer.
_LEAK = 1e-4


def diffuse(target_Chw: Float, trust_hw: Float, luma_hw: Float, steps: int = 30) -> Float:
    """Planes equal to `target` where `trust` is large, and smooth up to edges of luma elsewhere.

    trust: 0 and up; 1 holds a pixel about as firmly as its four neighbours do together, 0 leaves it free.
    luma in [0, 1]. steps: of conjugate gradients, from the targets' average in growing windows.
    """
    across_hw, down_hw = _ties(luma_hw)
    start_Chw = pull(target_Chw, trust_hw)
    diagonal_hw = trust_hw + _sum_of_ties(across_hw, down_hw) + 1e-8

    def operate(planes_Chw: Float) -> Float:
        out_Chw = trust_hw * planes_Chw
        step_Chw = across_hw * (planes_Chw[..., 1:] - planes_Chw[..., :-1])
        out_Chw[..., 1:] += step_Chw
        out_Chw[..., :-1] -= step_Chw
        step_Chw = down_hw * (planes_Chw[..., 1:, :] - planes_Chw[..., :-1, :])
        out_Chw[..., 1:, :] += step_Chw
        out_Chw[..., :-1, :] -= step_Chw
        return out_Chw

    solved_Chw: Float = start_Chw
    rest_Chw = trust_hw * target_Chw - operate(solved_Chw)
    eased_Chw = rest_Chw / diagonal_hw
    way_Chw = eased_Chw.copy()
    size_C = _dot(rest_Chw, eased_Chw)
    for _ in range(steps):
        moved_Chw = operate(way_Chw)
        length_C = size_C / np.maximum(_dot(way_Chw, moved_Chw), 1e-20)
        solved_Chw = (solved_Chw + length_C * way_Chw).astype(np.float32, copy=False)
        rest_Chw = (rest_Chw - length_C * moved_Chw).astype(np.float32, copy=False)
        eased_Chw = rest_Chw / diagonal_hw
        before_C, size_C = size_C, _dot(rest_Chw, eased_Chw)
        if float(size_C.max()) < 1e-6 * trust_hw.size:
            break
        way_Chw = (eased_Chw + size_C / np.maximum(before_C, 1e-20) * way_Chw).astype(np.float32, copy=False)
    return solved_Chw.astype(np.float32)


def pull(target_Chw: Float, trust_hw: Float) -> Float:
    """The targets where they are trusted, and their average over ever larger surroundings where not."""
    height, width = trust_hw.shape
    held_hw = np.minimum(trust_hw, 1)
    stack = np.dstack([*(target_Chw * held_hw), held_hw])
    if min(height, width) <= 4:
        mean = stack.reshape(-1, stack.shape[-1]).mean(0)
        coarse_Chw = np.broadcast_to(
            (mean[:-1] / max(float(mean[-1]), 1e-6))[:, None, None], target_Chw.shape
        )
    else:
        half = cv2.resize(stack, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        share_hw = np.maximum(half[..., -1], 1e-6)
        below_Chw = pull(
            (half[..., :-1] / share_hw[..., None]).transpose(2, 0, 1), np.minimum(4 * share_hw, 1)
        )
        coarse_Chw = np.stack(
            [cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in below_Chw]
        )
    filled_Chw: Float = held_hw * target_Chw + (1 - held_hw) * coarse_Chw
    return filled_Chw


def _ties(luma_hw: Float) -> tuple[Float, Float]:
    """How alike in colour a pixel and the next one across and down should be, in [0, 0.25]."""
    mean_hw = cv2.blur(luma_hw, (5, 5), borderType=cv2.BORDER_REFLECT_101)
    power_hw = cv2.blur(luma_hw * luma_hw, (5, 5), borderType=cv2.BORDER_REFLECT_101)
    # Levin et al.: sigma is the luma's own variance around the pixel.
    spread_hw: Float = 0.3 * np.maximum(power_hw - mean_hw * mean_hw, 0) + np.float32(_GRAIN**2)
    across_hw = (luma_hw[:, 1:] - luma_hw[:, :-1]) ** 2 / (spread_hw[:, 1:] + spread_hw[:, :-1])
    down_hw = (luma_hw[1:] - luma_hw[:-1]) ** 2 / (spread_hw[1:] + spread_hw[:-1])
    return _tie(across_hw), _tie(down_hw)


def _tie(apart_hw: Float) -> Float:
    return np.asarray(0.25 * np.exp(-apart_hw) + _LEAK, np.float32)


def _sum_of_ties(across_hw: Float, down_hw: Float) -> Float:
    total_hw: Float = np.zeros((across_hw.shape[0], down_hw.shape[1]), np.float32)
    total_hw[:, 1:] += across_hw
    total_hw[:, :-1] += across_hw
    total_hw[1:] += down_hw
    total_hw[:-1] += down_hw
    return total_hw


def _dot(one_Chw: Float, other_Chw: Float) -> Float:
    product: Float = np.einsum("chw,chw->c", one_Chw, other_Chw)[:, None, None]
    return product
