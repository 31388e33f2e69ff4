"""The restorer that changes nothing: what a shot is delivered with when it could not be restored."""

from collections.abc import Iterator

import numpy as np

from models.restorer import Card, Footage, Repair


class Untouched:
    """Conserves the film as it is."""

    card = Card("none", "1")
    device = "cpu"

    def restore(self, footage: Footage) -> Iterator[Repair]:
        mask_HW = np.zeros((footage.height, footage.width), bool)
        confidence_HW = np.zeros(mask_HW.shape, np.float32)
        kind_HW = np.zeros(mask_HW.shape, np.uint8)
        for planes_CHW in footage:
            yield Repair(planes_CHW, mask_HW, confidence_HW, kind_HW)
