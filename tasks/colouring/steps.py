"""The steps of colouring a reel, one Prefect task each."""

from contextlib import suppress
from dataclasses import replace

from storage.errors import StorageError
from tasks.colouring import deliver as colour_deliver
from tasks.colouring import dispatch as colour_dispatch
from tasks.colouring import restored, stills
from tasks.colouring.colour import ColouringWorker
from tasks.colouring.outcome import ColourOutcome, read_colour_outcome
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import RestoredReel
from tasks.colouring.stills import ReelStills
from tasks.deliver import ShotOutput
from tasks.ingest import IngestedReel
from tasks.progress import BOARD
from tasks.run import Run
from tasks.steps import publish_shots, step
from tasks.workforce import workers


class NothingToColour(StorageError):
    """No still of the reel can be used; the message says what to do, a line for each still."""


@step("find restored film")
def find_restored(run: Run[ColourRequest], reel: IngestedReel) -> RestoredReel:
    """The delivery that is to be coloured."""
    return restored.restored_reel(run.vault, reel, run.request.delivery)


@step("read stills")
def read_stills(run: Run[ColourRequest], reel: IngestedReel, film: RestoredReel) -> ReelStills:
    """The painted stills that fit the reel, and why others do not.

    Raises NothingToColour where none does, unless the film has colours of its own and nobody painted more.
    """
    BOARD.stage(reel.reel.source, "stills")
    painted = stills.take_stills(run.vault, reel, film, run.request.stills)
    if not painted.fit and (painted.refused or not film.partly_in_colour):
        raise NothingToColour("\n".join([_without_stills(run, reel, painted), *painted.refused]))
    return painted


@step("colour shots")
def colour_shots(
    run: Run[ColourRequest], reel: IngestedReel, film: RestoredReel, painted: ReelStills
) -> list[ShotOutput]:
    """Every shot's output, by the run's workers."""
    with workers(kind=ColouringWorker) as pool:
        tell = BOARD.stage(reel.reel.source, "scenes", len(film.shots))
        loans = colour_dispatch.find_loans(run.vault, reel, film, painted.fit, run.request, pool, tell)
        tell = BOARD.stage(reel.reel.source, "colour", reel.reel.frame_count)
        return colour_dispatch.colour_shots(
            run.vault, reel, film, painted.fit, loans, run.request, pool, run.ledger, tell
        )


@step("deliver colour")
def deliver_colour(
    run: Run[ColourRequest],
    reel: IngestedReel,
    film: RestoredReel,
    painted: ReelStills,
    coloured: list[ShotOutput],
) -> ColourOutcome:
    """The delivery, proven against the laws and published."""
    tell = BOARD.stage(reel.reel.source, "deliver", reel.reel.frame_count)
    with run.ledger.timing("deliver colour", reel.reel):
        key = colour_deliver.deliver_colour(run.vault, reel, film, painted, coloured, run.request.title, tell)
        outcome = replace(
            read_colour_outcome(run.vault, reel.reel.source, key),
            restored_choices=film.choices,
            # Of the directory as it is now: the same delivery may have been made when it held other images.
            unpainted_stills=painted.unpainted,
            other_stills=painted.others,
            unnamed_stills=painted.unnamed,
        )
    with suppress(Exception):  # the delivery stands, whether the UI shows it or not
        publish_shots(key, outcome.shot_rows, f"Coloured shots of {outcome.source}")
    return outcome


def in_colour_already(reel: IngestedReel, film: RestoredReel) -> ColourOutcome:
    """What is told of a reel that has colour of its own, and keeps it."""
    own = tuple(n for n, shot in enumerate(film.shots, 1) if shot.in_colour)
    return ColourOutcome(
        reel.reel.source,
        "in colour already",
        reel.reel.reel_id,
        reel.reel.frame_count,
        len(film.shots),
        restored=film.delivery,
        grey_shots=tuple(n for n in range(1, len(film.shots) + 1) if n not in own),
        own_colour_shots=own,
        restored_choices=film.choices,
    )


def _without_stills(run: Run[ColourRequest], reel: IngestedReel, painted: ReelStills) -> str:
    source, folder = reel.reel.source, run.request.stills
    if painted.refused:
        unpainted = f" (not painted yet: {len(painted.unpainted)})" if painted.unpainted else ""
        return f"{source}: none of its stills in {folder} can be used{unpainted}"
    if painted.unpainted:
        return f"{source}: none of its stills in {folder} is painted yet; paint one and run again"
    passed_over = []
    if painted.others:
        passed_over.append(f"images named for other reels: {painted.others}")
    if painted.unnamed:
        passed_over.append(f"for none: {len(painted.unnamed)}, like {painted.unnamed[0]}")
    told = f" ({', '.join(passed_over)})" if passed_over else ""
    return (
        f"{source}: no still of it in {folder}{told}; `answerprint colour-stills` writes frames to paint, "
        f"named like {stills.still_name(reel.reel, 0)}"
    )
