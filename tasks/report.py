"""The treatment report: one page, readable without anything else. Everything from the film is escaped."""

from collections.abc import Sequence
from typing import Any

from storage.delivery import SHEETS
from storage.reel import Reel
from tasks.page import page, table
from tasks.review import ReviewItem
from tasks.sheets import sheet_name

REPORT_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem;
       color: #ddd; background: #181818 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .9rem .2rem 0; text-align: left;
       vertical-align: top; border-bottom: 1px solid #333 } th { color: #999; font-weight: normal }
img { max-width: 100%; margin: .5rem 0 1.5rem; display: block } h1, h2 { font-weight: 500 }
"""


def report_html(reel: Reel, summary: dict[str, Any], items: Sequence[ReviewItem]) -> str:
    """The page, for a browser, beside the delivery's contact sheets."""
    video = reel.video
    facts = {
        "source": reel.name,
        "sha256": reel.sha256,
        "picture": f"{video.width}x{video.height} {video.pix_fmt}, {video.rate} frames a second, "
        f"{video.field_order}",
        "frames": f"{reel.frame_count}, of which {reel.damaged_frames} damaged in the source",
        "sound": ", ".join(f"{a.codec} {a.sample_rate} Hz" for a in reel.audio if a.kind == "audio")
        or "none",
        "timecode": reel.timecode or "none",
        "mode": summary["mode"],
        "restorer": summary["restorer"],
        "mask": _mask_told(summary["mask"]),
        "assumptions": "; ".join(reel.assumptions) or "none",
        "not carried": "; ".join(reel.not_carried) or "nothing",
    }
    shots = (
        [s["shot"], f"{s['start']}-{s['end'] - 1}", s["kind"], f"{s['share_touched']:.3%}",
         f"{s['mean_confidence']:.2f}", s["failure"] or ""]
        for s in summary["shots"]
    )  # fmt: skip
    review = ([item.shot, f"{item.start}-{item.end - 1}", item.reason, item.detail] for item in items)
    sheets = "".join(
        f'<h2>Shot {s["shot"]}</h2><img src="{SHEETS}/{sheet_name(s["shot"])}" alt="before, after, repaired">'
        for s in summary["shots"]
    )
    return page(
        reel.name,
        table((), facts.items())
        + "<h2>To be looked at</h2>"
        + (table(("shot", "frames", "reason", "detail"), review) if items else "<p>Nothing.</p>")
        + "<h2>Shots</h2>"
        + table(("shot", "frames", "kind", "changed", "confidence", "failure"), shots)
        + sheets,
        REPORT_STYLE,
    )


def _mask_told(mask: dict[str, Any] | None) -> str:
    if mask is None:
        return "none given"
    use = (
        "added to the restorer's findings" if mask["use"] == "add" else "in place of the restorer's findings"
    )
    return f"{mask['film']} (sha256 {mask['sha256']}), {use}, damage {'dark' if mask['dark'] else 'light'}"
