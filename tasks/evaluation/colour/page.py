"""The page of an evaluation of colourisers, beside its pictures. Names from outside are escaped."""

from html import escape
from pathlib import Path

from tasks.evaluation.colour.evaluation import ColourEvaluation
from tasks.evaluation.folder import GALLERY_STYLE, exhibits, names_of, origin, write_folder
from tasks.page import page, table

_HEAD = ("", "CIEDE2000", "PSNR of ab, dB", "flicker", "the truth's", "s a frame", "memory, MB")
_TOLD = (
    "<p>Clips of colour film made grey, each with one still of it in colour; every colouriser was given the "
    "same. Middle: the still is the clip's middle frame. Far: it is the last one, and the first half is "
    "scored. Sibling: the same, and the still is of no frame that is coloured. CIEDE2000 is the mean "
    "difference from the true colour (1 is just seen), flicker the change of ab along the true motion, to be "
    "read beside the truth's own. Times are by the wall clock, with all else that this machine did. Memory "
    "is the most that the whole process was seen to hold after one of the colouriser's frames.</p>"
)


def write_colour_evaluation(evaluation: ColourEvaluation, folder: Path) -> None:
    """As `write_folder`."""
    write_folder(evaluation, _html(evaluation), folder)


def _html(evaluation: ColourEvaluation) -> str:
    return page(
        "Colourisers, compared",
        _TOLD
        + "".join(_slice(evaluation, part) for part in evaluation.slices)
        + "<h2>Gallery</h2><p>The first clip of each film, whatever came of it.</p>"
        + exhibits(evaluation.gallery, names_of(evaluation.gallery))
        + origin(evaluation, f"{evaluation.request.clips} at most"),
        GALLERY_STYLE,
    )


def _slice(evaluation: ColourEvaluation, part: str) -> str:
    sides = {title: scores[part] for title, scores in evaluation.scores.items()}
    first = next(iter(sides.values()))
    rows = [
        (
            title,
            f"{score.ciede2000:.3f}",
            None if score.psnr_ab is None else f"{score.psnr_ab:.2f}",
            f"{score.flicker:.3f}",
            f"{score.flicker_truth:.3f}",
            score.seconds_per_frame,
            score.memory_bytes // 10**6,
        )
        for title, score in sides.items()
    ]
    return f"<h3>{escape(part)}</h3><p>{first.clips} clips, {first.frames} frames</p>{table(_HEAD, rows)}"
