"""One reel: its restored film found, the painted stills read, coloured shot by shot, delivered."""

from prefect import flow

from tasks.colouring.outcome import ColourOutcome
from tasks.colouring.request import ColourRequest
from tasks.colouring.steps import colour_shots, deliver_colour, find_restored, in_colour_already, read_stills
from tasks.run import Run
from tasks.steps import ingest_reel


@flow(name="colour-reel", flow_run_name="{source}", persist_result=False, validate_parameters=False)
def colour_reel(run: Run[ColourRequest], source: str) -> ColourOutcome:
    """Raises StorageError, PoolError or JobFailed where nothing can be delivered."""
    reel = ingest_reel(run, source)
    film = find_restored(run, reel)
    if film.in_colour:
        return in_colour_already(reel, film)
    painted = read_stills(run, reel, film)
    if not painted.fit:  # what has no colour of its own is a title, or meant to stay grey
        return in_colour_already(reel, film)
    coloured = colour_shots(run, reel, film, painted)
    return deliver_colour(run, reel, film, painted, coloured)
