"""When to believe freshly trained weights: thresholds that a corpus' val film decides."""

from collections.abc import Callable
from pathlib import Path

from models.neural.restorer import NeuralRestorer
from models.neural.settings import NeuralSettings
from models.neural.thresholds import Film, HarmBudget, Thresholds
from models.weights import Bundle, load_network, read_bundle, write_bundle
from tasks.evaluation.judge import KnownClip
from tasks.evaluation.request import CLEAN, IN_SCENE, EvaluationRequest
from tasks.evaluation.set import EvaluationSet

__all__ = ["HarmBudget", "threshold_clips", "with_thresholds"]

_BUDGET = HarmBudget()
_FILMS: dict[str, Film] = {CLEAN: "clean", IN_SCENE: "lookalike"}


def threshold_clips(corpus: str, clips: int) -> EvaluationRequest:
    """What thresholds are chosen on."""
    return EvaluationRequest(corpus, ("medium",), "val", clips)


def with_thresholds(
    folder: Path,
    corpus: str,
    clips: int,
    progress: Callable[[int], None],
    licence: str = "unknown",
    budget: HarmBudget = _BUDGET,
) -> Bundle:
    """The bundle with `sure`, `edge`, `widen_px` and `feather_px` chosen; its origin tells what they found.

    clips: of val, for each kind of film; training is judged by its films and never learns from them.
    progress: is told how many clips are done. licence: of the weights. Raises StorageError, WeightsError.
    """
    bundle = read_bundle(folder)
    restorer = NeuralRestorer(bundle)
    tried = Thresholds(NeuralSettings.of(dict(bundle.settings)))
    frozen = EvaluationSet(threshold_clips(corpus, clips))
    for done, clip in enumerate(frozen.clips, 1):
        known = KnownClip(frozen.made(clip))
        for sight, answer_KHW in restorer.answers(known.footage):
            tried.add(answer_KHW, known.damage(sight.first_frame), _FILMS.get(clip.part, "damaged"))
        progress(done)
    chosen = tried.chosen(budget)
    names = ("sure", "edge", "widen_px", "feather_px")
    settings = {name: getattr(chosen, name) for name in names}
    found = {
        film: {"harm": each.harm, "recall": each.recall, "precision": each.precision, "f1": each.f1}
        for film, each in tried.found(chosen).items()
    }
    return write_bundle(
        folder,
        load_network(bundle),
        {**bundle.settings, **settings},
        {**bundle.origin, "thresholds": {"clips": clips, "found": found}},
        licence,
    )
