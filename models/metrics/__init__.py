"""How well a restorer did: `detection` of damage, `fidelity` to a truth, `ssim` and `lpips` for the eye,
`steadiness` over time, and the `score` of a film.

What needs no torch can be imported from here; restorers do.
"""

from models.metrics.detection import Detection, compare, grown
from models.metrics.fidelity import Fidelity, fidelity, psnr, squared_error

__all__ = ["Detection", "Fidelity", "compare", "fidelity", "grown", "psnr", "squared_error"]
