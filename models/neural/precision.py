"""What networks compute in, and whether it was fine enough; no engine is needed to speak of it."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Precision = Literal["auto", "fp32", "bf16", "fp16"]


def check_answer(answer_KHW: NDArray[np.float32], frame: int, device: str) -> None:
    """Raises ArithmeticError where a network answered a frame of a shot with what is no number.

    device: where it ran and in what precision.
    """
    if not np.isfinite(answer_KHW).all():
        raise ArithmeticError(
            f"the network's answer to frame {frame} of the shot holds no numbers; "
            f"{device} may be too coarse for these weights: try precision fp32"
        )
