"""What the tests of corpora share: a shelf of films, a corpus made of them, two workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.dask_engine import Engine, engine
from tests.footage import pan, shots, write_film
from tests.shelf import made, planned

# Read when Prefect is imported: its database is made anew by many a test, on machines that may be busy.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")


@pytest.fixture(scope="module")
def quiet_prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect of the tests' own, and no Dask but theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.getbasetemp() / "prefect"))
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        yield


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four films, one that is too short, and one that is none."""
    shelf = tmp_path_factory.mktemp("shelf")
    for seed in (1, 2):
        write_film(shelf / f"shots{seed}.mkv", shots(seed))
    for seed in (3, 4):
        write_film(shelf / f"pan{seed}.mkv", pan(seed, 40))
    write_film(shelf / "short.mkv", pan(5, 4))
    (shelf / "none.mkv").write_text("no film\n" * 50)
    return shelf


@pytest.fixture(scope="module")
def crew() -> Iterator[Engine]:
    """Two workers."""
    with engine(2) as crew:
        yield crew


@pytest.fixture(scope="session")
def corpus(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by one process, undisturbed."""
    return made(planned(shelf, tmp_path_factory.mktemp("undisturbed")))
