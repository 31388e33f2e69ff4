"""Clean films into a corpus: clips cut from them, and the same clips made old, with masks of the damage."""

from prefect import flow

from tasks.corpora.corpus import CorpusOutcome, open_corpus
from tasks.corpora.request import CorpusRequest
from tasks.corpora.steps import examine_films, finish_corpus, make_shards, plan_corpus
from tasks.dask_engine import engine


@flow(name="synthesize-corpus", persist_result=False)
def synthesize_corpus(
    sources: list[str],
    vault: str,
    name: str,
    recipe: str = "medium",
    clips: int = 2000,
    frames: int = 12,
    size: int = 256,
    seed: int = 1,
    splits: str = "80/10/10",
    hold_out: list[str] | None = None,
    colour: bool = False,
    templates: str = "",
    licences: str = "",
    worker_count: int | None = None,
    scheduler: str | None = None,
) -> CorpusOutcome:
    """Makes the corpus in the vault, or goes on with it; one that is finished is left as it is.

    Raises RequestError, CorpusError, EngineError, StorageError.
    """
    held = tuple(hold_out or ())
    request = CorpusRequest(
        vault, name, recipe, clips, frames, size, seed, splits, held, colour, templates, licences
    )
    films = open_corpus(request, sources)
    with engine(worker_count, scheduler) as crew:
        examined = examine_films(crew, request, films)
        plan = plan_corpus(request, examined)
        made = make_shards(crew, plan)
    return finish_corpus(plan, made)
