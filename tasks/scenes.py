"""Shots of one scene, told by what they show, and the stills that they share."""

from collections.abc import Sequence

import numpy as np

from models.colour.references import fit
from storage.vault import Vault
from tasks.colouring.colour import LentStill
from tasks.colouring.restored import RestoredReel, lightness
from tasks.colouring.stills import Still
from tasks.ingest import IngestedReel

_NEAR_SHOTS = 12
"""A scene is cut within a few shots; farther away nothing is looked for, however alike it is."""
_LOOKED_AT = 5
"""Frames of a shot that are held against a still."""
_ALIKE = 0.5
"""Likeness of local contrast (`fit`): 0.03 between two films; from a moving car 0.57 after 6 frames, 0.46
after 15."""
_MOST_LENT = 2


def borrowed(
    vault: Vault, reel: IngestedReel, restored: RestoredReel, number: int, stills: Sequence[Still]
) -> tuple[LentStill, ...]:
    """The stills of other shots near by that show what this shot shows, the likest first; two at most.

    number: of the shot, from 0. A camera that comes back to where it stood shows the same again, as in an
    exchange of looks; what was filmed from elsewhere is not taken for the same. Raises VaultError.
    """
    near = range(max(0, number - _NEAR_SHOTS), min(len(restored.shots), number + _NEAR_SHOTS + 1))
    lenders = [
        LentStill(still, shot)
        for still in stills
        for n in near
        for shot in [restored.shots[n]]
        if n != number and shot.span.start <= still.frame < shot.span.end and not shot.in_colour
    ]
    if not lenders:
        return ()
    span, shot = restored.shots[number].span, restored.shots[number]
    frames = sorted({round(at) for at in np.linspace(span.start, span.end - 1, _LOOKED_AT)})
    looks = [lightness(shot.picture(vault, reel.reel, frame), reel.reel) for frame in frames]
    likeness = {}
    for lent in lenders:
        painted_HW = lightness(lent.shot.picture(vault, reel.reel, lent.still.frame), reel.reel)
        likeness[lent] = max(fit(painted_HW, look_HW).likeness for look_HW in looks)
    alike = sorted((lent for lent in lenders if likeness[lent] >= _ALIKE), key=lambda lent: -likeness[lent])
    return tuple(alike[:_MOST_LENT])
