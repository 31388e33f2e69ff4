"""The report of a colour delivery: one page, readable without anything else."""

from collections.abc import Sequence
from typing import Any

from storage.coloured import StillsOrigin
from storage.delivery import SHEETS
from storage.reel import Reel
from tasks.colouring.review import ColourItem
from tasks.page import page, table
from tasks.report import REPORT_STYLE
from tasks.sheets import sheet_name

_WHAT: dict[StillsOrigin, str] = {
    "painted": "colourised: the colours are not the film's own, the luma is the restored film's",
    "partly": "colourised, in part automatically: some colours are a machine's guess, none are the film's "
    "own; the luma is the restored film's",
    "guessed": "colourised automatically: the colours are a machine's guess, not the film's own; the luma is "
    "the restored film's",
}
_ORIGINS = {"stills": "stills", "own": "the film's own", "none": "grey"}


def colour_report_html(reel: Reel, summary: dict[str, Any], items: Sequence[ColourItem]) -> str:
    """The page, for a browser, beside the delivery's contact sheets."""
    facts = {
        "source": reel.name,
        "sha256": reel.sha256,
        "what this is": _WHAT[summary["stills_origin"]],
        "restored film": f"delivery {summary['restored']}",
        "colour carried by": summary["colouriser"],
        "stills": ", ".join(_still(still) for still in summary["stills"]),
        "frames": reel.frame_count,
    }
    shots = (
        [s["shot"], f"{s['start']}-{s['end'] - 1}", _ORIGINS[s["origin"]],
         ", ".join(str(still["frame"]) for still in s["stills"]), f"{s['share_reached']:.1%}",
         f"{s['mean_confidence']:.2f}", s["failure"] or ""]
        for s in summary["shots"]
    )  # fmt: skip
    review = ([item.shot or "", f"{item.start}-{item.end - 1}", item.reason, item.detail] for item in items)
    sheets = "".join(
        f'<h2>Shot {s["shot"]}</h2><img src="{SHEETS}/{sheet_name(s["shot"])}" '
        'alt="restored, coloured, how sure">'
        for s in summary["shots"]
    )
    head = ("shot", "frames", "colour", "stills of frames", "reached", "confidence", "failure")
    return page(
        f"{reel.name} (colourised)",
        table((), facts.items())
        + "<h2>To be looked at</h2>"
        + (table(("shot", "frames", "reason", "detail"), review) if items else "<p>Nothing.</p>")
        + "<h2>Shots</h2>"
        + table(head, shots)
        + sheets,
        REPORT_STYLE,
    )


def _still(still: dict[str, Any]) -> str:
    maker = still["guessed_by"]
    by = f", by a machine: {maker['name']}, {maker['kind']}, sha256 {maker['sha256']}" if maker else ""
    return f"{still['name']} (frame {still['frame']}{by})"
