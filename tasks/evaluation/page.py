"""The page of an evaluation of restorers, readable without anything else. Names from outside are escaped."""

from collections.abc import Callable
from html import escape
from pathlib import Path

from tasks.evaluation.evaluation import Evaluation
from tasks.evaluation.folder import GALLERY_STYLE, exhibits, origin, write_folder
from tasks.evaluation.score import SliceScore
from tasks.page import PALETTE, legend, page, table
from tasks.plots import Bars, bars_svg

_STYLE = GALLERY_STYLE + "img { image-rendering: pixelated }\n"
_INPUT = "#9a9a9a"
_HEAD = (
    "",
    "gain inside, dB",
    "PSNR inside",
    "outside",
    "whole",
    "SSIM",
    "precision",
    "recall",
    "F1",
    "F1, 2 px",
    "recall, seen",
    "F1, seen",
    "harm, %",
    "harm, 2 px, %",
    "touched, %",
    "warping, 1e-4",
    "flicker, %",
)
_TOLD = (
    "<p>One set of clips, made old anew with known damage, and reels whose truth nobody knows; every "
    "restorer was given the same. The first row of each table is the film as it is. PSNR and SSIM are "
    "against the undamaged old film, its grain and flicker included. Precision, recall, F1 and harm (the "
    "share of all pixels that were replaced away from damage) count every damaged pixel, be it ever so "
    "faint; with 2 px, what was replaced that near to damage counts as right; where damage is to be seen, "
    "what changes a pixel by less than 8 of 255 counts neither way. Warping and flicker are along "
    "the undamaged film's motion, a reel's along its own, and are to be read beside the film's own. A dash: "
    "nothing to measure, or not a pixel changed.</p>"
)
_KEY = (
    "<p>Marks: green damage found, blue missed, red touched where nothing was; yellow where the truth is not "
    "known. The first clips of each part, whatever came of them, each at its most damaged frame.</p>"
)


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """As `write_folder`."""
    write_folder(evaluation, evaluation_html(evaluation), folder)


def evaluation_html(evaluation: Evaluation) -> str:
    """The page, for a browser."""
    colours = {
        rival.title: PALETTE[(n - 1) % len(PALETTE)] if n else _INPUT
        for n, rival in enumerate(evaluation.restorers)
    }
    return page(
        "Restorers, compared",
        _TOLD
        + _restorers(evaluation)
        + f"<p>{legend(colours)}</p>"
        + _plot(evaluation, colours, "PSNR gained inside damage, dB", lambda score: score.psnr_inside_gain)
        + _plot(evaluation, colours, "F1 of the mask, damage to be seen", lambda score: score.f1_seen)
        + _plot(evaluation, colours, "Harm, % of all pixels", lambda score: _percent(score.harm))
        + "".join(_slice(evaluation, name) for name in evaluation.slices)
        + "<h2>Gallery</h2>"
        + _KEY
        + _gallery(evaluation)
        + origin(evaluation, f"{evaluation.request.clips} of each part"),
        _STYLE,
    )


def _restorers(evaluation: Evaluation) -> str:
    head = ("", "weights", "runs on", "s a frame", "s a megapixel", "s to start", "memory, MB")
    rows = []
    for rival in evaluation.restorers:
        cost = evaluation.costs[rival.title]
        weights = rival.weights_sha256[:16] if rival.weights_sha256 else None
        rows.append(
            (
                rival.title,
                weights,
                rival.device,
                cost.seconds_per_frame,
                cost.seconds_per_megapixel,
                cost.starting_s,
                cost.memory_bytes // 10**6,
            )
        )
    return table(head, rows) + (
        "<p>Times are by the wall clock, with all else that this machine did. Memory is the most that the "
        "whole process was seen to hold after one of the restorer's frames; it ever held "
        f"{evaluation.peak_memory_bytes // 10**6} MB.</p>"
    )


def _plot(
    evaluation: Evaluation,
    colours: dict[str, str],
    name: str,
    value: Callable[[SliceScore], float | None],
) -> str:
    """Slices of which no restorer tells anything are left out."""
    scores = evaluation.scores
    told = [part for part in evaluation.slices if any(value(of[part]) is not None for of in scores.values())]
    sides = [Bars(title, colours[title], [value(of[part]) for part in told]) for title, of in scores.items()]
    return f"<h3>{escape(name)}</h3>{bars_svg(told, sides)}"


def _slice(evaluation: Evaluation, name: str) -> str:
    sides = {title: of[name] for title, of in evaluation.scores.items()}
    first = next(iter(sides.values()))
    if not first.frames:
        return ""
    share = "" if first.damaged_share is None else f", {first.damaged_share:.2%} damaged"
    rows: list[tuple[object, ...]] = [(title, *_row(score)) for title, score in sides.items()]
    if first.warping_undamaged is not None:
        blank = [None] * (len(_HEAD) - 3)
        still = _scaled(first.warping_undamaged, 1e4), _percent(first.flicker_undamaged)
        rows.append(("undamaged film", *blank, *still))
    return f"<h3>{escape(name)}</h3><p>{first.clips} clips, {first.frames} frames{share}</p>" + table(
        _HEAD, rows
    )


def _row(score: SliceScore) -> tuple[object, ...]:
    return (
        score.psnr_inside_gain,
        score.psnr_inside,
        score.psnr_outside,
        score.psnr,
        None if score.ssim is None else f"{score.ssim:.4f}",
        score.precision,
        score.recall,
        score.f1,
        score.f1_near,
        score.recall_seen,
        score.f1_seen,
        _percent(score.harm),
        _percent(score.harm_near),
        _percent(score.touched_share),
        _scaled(score.warping, 1e4),
        _percent(score.flicker),
    )


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by


def _percent(share: float | None) -> float | None:
    return _scaled(share, 100)


def _gallery(evaluation: Evaluation) -> str:
    pictures = (picture for shown in evaluation.gallery for picture in shown.pictures)
    return exhibits(evaluation.gallery, (f"data:image/png;base64,{picture.png}" for picture in pictures))
