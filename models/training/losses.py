"""What training pulls at, term by term. Each gives one number, computed in float32, also under autocast.

Shape suffixes: N items, T frames, C channels, H rows, W columns; 2 is (dx, dy) in pixels.

Sources: Wan et al., "Bringing Old Films Back to Life", CVPR 2022 (RTN), for `l1` and the hinge losses; the
others name theirs.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from models.warp import warp

Total = Callable[[Tensor], Tensor]
"""Makes of a sum over a part of a batch that over the whole: `models.training.company.over_all`."""


def own(part: Tensor) -> Tensor:
    """The part is the whole."""
    return part


# Charbonnier's corner: a quarter of a step of eight bits, for a picture in [0, 1]. Below it errors are not
# worth a change, and the gradient fades out; above, it is L1. RTN's code has a Charbonnier, unused, whose
# corner is 1e-6: in effect L1.
CHARBONNIER_EPS = 1e-3
# In pixels of damage: a batch of clean film has a Dice that is defined, and nearly flat.
_DICE_PX = 1.0


def l1(restored: Tensor, target: Tensor, weight: Tensor | None = None, total: Total = own) -> Tensor:
    """Mean absolute error, over tensors of any one shape; `weight` (broadcast) makes it a weighted mean."""
    return _mean((restored.float() - target.float()).abs(), weight, total)


def charbonnier(
    restored: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    total: Total = own,
    eps: float = CHARBONNIER_EPS,
) -> Tensor:
    """Mean of sqrt(error^2 + eps^2): L1 with a round corner, `eps` for no error at all.

    Source: Charbonnier et al., ICIP 1994; Lai et al. (LapSRN), CVPR 2017, for restoration.
    """
    return _mean(torch.sqrt((restored.float() - target.float()) ** 2 + eps**2), weight, total)


def temporal_difference(
    restored_NTCHW: Tensor,
    target_NTCHW: Tensor,
    to_previous_NT2HW: Tensor | None = None,
    total: Total = own,
) -> Tensor:
    """Mean absolute difference between what changes from frame to frame and what should; 0 for one frame.

    Entry i of `to_previous_NT2HW` (T - 1 entries) is the true flow from frame i + 1 to frame i; None means no
    motion. As warping is linear, it is the error that is carried along motion and compared: an error that
    stays costs nothing here. What comes from outside the picture does not count.
    """
    error_NTCHW = restored_NTCHW.float() - target_NTCHW.float()
    before, after = error_NTCHW[:, :-1].flatten(0, 1), error_NTCHW[:, 1:].flatten(0, 1)
    if not len(before):
        return error_NTCHW.sum() * 0.0
    if to_previous_NT2HW is None:
        return (after - before).abs().mean()
    flow = to_previous_NT2HW.flatten(0, 1)
    inside = warp(torch.ones_like(before[:, :1]), flow) > 0.999
    return _mean((after - warp(before, flow)).abs(), inside, total)


def mask_loss(logit: Tensor, damage: Tensor, certain: Tensor | None = None, total: Total = own) -> Tensor:
    """Binary cross-entropy plus soft Dice, of a mask's logits against true damage in [0, 1]; any one shape.
    `certain`, 0 or 1, leaves pixels out of which nothing is asked.

    Cross-entropy, unweighted, keeps the probability honest: it is shown as confidence, and the mask is cut
    from it where being wrong is worse than missing (focal loss and balanced weights bend it). Alone it learns
    slowly that one pixel in a hundred matters; Dice (Milletari et al., V-Net, 3DV 2016) is blind to how rare
    damage is. Dice is taken over the batch: clean frames have none of their own.
    """
    logit, damage = logit.float(), damage.float()
    asked = torch.ones_like(damage) if certain is None else certain.float()
    probability, damage = torch.sigmoid(logit) * asked, damage * asked
    common = 2 * total((probability * damage).sum()) + _DICE_PX
    dice = 1 - common / (total(probability.sum() + damage.sum()) + _DICE_PX)
    return _mean(F.binary_cross_entropy_with_logits(logit, damage, reduction="none"), asked, total) + dice


def spread_loss(
    spread: Tensor, restored: Tensor, target: Tensor, weight: Tensor | None = None, total: Total = own
) -> Tensor:
    """How far exp(`spread`) is from the absolute error it should foretell: the I-divergence, expected less
    error plus error * log(error / expected). It is 0 where both are equal, and its mean is least where
    exp(spread) is the mean absolute error.

    So is the likelihood of a Laplace distribution, whose gradient knows no bound where a small spread meets a
    large error: on an untrained network it was two thousand times that of the pixels. This gradient, expected
    less error, is the likelihood's times the spread (beta-NLL with beta 1; Seitzer et al., "On the Pitfalls
    of Heteroscedastic Uncertainty Estimation", ICLR 2022). The error itself gets none: hard pixels would be
    excused. `restored` and `target` have the spread's shape, in [0, 1]; or, as (N, T, C, H, W), more channels
    than its one: then the distance is the error.
    """
    spread = spread.float()
    error = (restored.detach().float() - target.float()).abs()
    if error.shape != spread.shape:
        error = error.square().sum(2, keepdim=True).sqrt()
    gap = torch.exp(spread) - error + torch.special.xlogy(error, error) - error * spread
    return _mean(gap, weight, total)


def hinge_generator(fake: Tensor) -> Tensor:
    """What the restorer pays for a discriminator's verdict on its frames: minus the mean."""
    return -fake.float().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Half of what the discriminator pays for real below 1, and for fake above -1; fake must be detached
    from the restorer before it is judged."""
    return 0.5 * (F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean())


def _mean(values: Tensor, weight: Tensor | None, total: Total) -> Tensor:
    if weight is None:
        return values.mean()
    weights = weight.float().expand_as(values)
    # Where nothing weighs anything there is nothing to pay.
    return total((values * weights).sum()) / total(weights.sum()).clamp(min=1e-6)
