"""A shelf of small films, and corpora made of them: what the tests of corpora share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from storage.corpus import Clip, Corpus, Shard
from storage.fixity import sha256_file
from tasks.corpora import dispatch as corpus_dispatch
from tasks.corpora.corpus import CorpusPlan, finish_corpus, open_corpus, plan_corpus
from tasks.corpora.request import CorpusRequest
from tasks.corpora.synthesize import make_shard

FRAMES, SIZE, CLIPS = 6, 64, 70


def planned(shelf: Path, vault: Path, **asked: Any) -> CorpusPlan:
    request = CorpusRequest(
        str(vault), **{"name": "test", "clips": CLIPS, "frames": FRAMES, "size": SIZE, **asked}
    )
    examined = [
        corpus_dispatch._examine(corpus_dispatch.FilmJob(str(vault), source))
        for source in open_corpus(request, [str(shelf)])
    ]
    rejected = [each for each in examined if isinstance(each, corpus_dispatch.Rejection)]
    return plan_corpus(request, [each for each in examined if each not in rejected], rejected)


def made(plan: CorpusPlan) -> Path:
    outcome = finish_corpus(plan, [make_shard(job) for job in plan.jobs()])
    return Path(outcome.corpus)


def bytes_of(corpus: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(corpus.iterdir())}


def rows_of(corpus: Path) -> list[dict[str, Any]]:
    return list(Corpus.open(str(corpus)).rows)


def clips_of(path: Path) -> Iterator[Clip]:
    with Shard.open(str(path)) as shard:
        yield from (shard.clip(n) for n in range(len(shard)))
