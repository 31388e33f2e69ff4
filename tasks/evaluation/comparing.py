"""An evaluation on its own: restorers by the names that people give them, written, and told to MLflow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage.filesystem import absolute
from tasks.evaluation.colour.score import ColourScore
from tasks.evaluation.evaluation import Evaluation, evaluate
from tasks.evaluation.page import write_evaluation
from tasks.evaluation.request import CLEAN, IN_SCENE, EvaluationRequest
from tasks.evaluation.score import SliceScore
from tasks.mlflow_engine import Server, Tracked
from tasks.request import RequestError
from tasks.restorers import UNUSABLE, Named, named


@dataclass(frozen=True)
class Compared:
    """What was found, in the words of `--json`."""

    report: str
    """The page; the figures lie beside it as JSON."""
    run_id: str
    evaluation: Evaluation

    def rows(self) -> list[dict[str, Any]]:
        """The main slices of each restorer, for a table."""
        parts = (*self.evaluation.recipes_sha256, CLEAN, IN_SCENE)
        return [
            {"restorer": title, "slice": part, **{name: getattr(scores[part], name) for name in _FIGURES}}
            for title, scores in self.evaluation.scores.items()
            for part in parts
        ]

    def sentence(self) -> str:
        titles = ", ".join(self.evaluation.scores)
        return f"{titles}: {len(self.evaluation.slices)} slices\n  report  {self.report}"


_FIGURES = ("clips", "psnr_inside_before", "psnr_inside", "precision", "recall", "f1", "f1_seen", "harm")


def restorers_named(names: Sequence[str]) -> list[Named]:
    """Raises RequestError for one that there is not."""
    try:
        return [named(name) for name in names]
    except UNUSABLE as error:
        raise RequestError(f"restorer {error}") from error


def compare(
    restorers: Sequence[Named],
    request: EvaluationRequest,
    output: str,
    progress: Callable[[int, int], None],
) -> Compared:
    """Evaluates, writes the page into `output`, and tells MLflow. Raises as `evaluate`; RegistryError."""
    titles = {restorer.name: restorer.title for restorer in restorers}
    told = {"restorers": [restorer.pinned for restorer in restorers], **asdict(request)}
    folder = Path(absolute(output))
    with Server().begin("evaluate", ", ".join(titles.values()), {"corpus": request.corpus}, told) as run:
        evaluation = evaluate(list(titles), request, progress, titles)
        write_evaluation(evaluation, folder)
        run.file(folder)
        for title in evaluation.scores:
            tell_scores(run, evaluation.scores[title], title)
    return Compared(str(folder / "index.html"), run.run_id, evaluation)


def tell_scores(run: Tracked, scores: Mapping[str, SliceScore] | Mapping[str, ColourScore], who: str) -> None:
    """Somebody's scores as metrics of a run, like `classical/medium/psnr_inside`."""
    figures = {
        _plain(f"{who}/{part}/{figure}"): value
        for part, score in scores.items()
        for figure, value in asdict(score).items()
        if value is not None
    }
    run.numbers(0, figures)


def _plain(name: str) -> str:
    """MLflow takes letters, digits and a few signs."""
    return "".join(sign if sign.isalnum() or sign in "-_./ " else "_" for sign in name)
