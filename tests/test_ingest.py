"""A reel is surveyed once, by the code that is there now, and what a vault tells of it stays true."""

import json
import shutil
import threading
from dataclasses import replace
from fractions import Fraction

import pytest

import tasks.ingest
from storage.errors import SourceError
from storage.vault import Vault
from tasks.footage import ShotFootage
from tasks.ingest import IngestedReel, ingest
from tasks.shots import find_shots
from tasks.status import vault_status
from tests.reels import Kind, write_reel
from tests.restoring import deliver_reel


def quietly(frames):
    pass


@pytest.fixture
def vault(tmp_path):
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    return vault


@pytest.fixture
def film(tmp_path):
    return write_reel(tmp_path / "film", Kind())


@pytest.fixture
def surveys(monkeypatch):
    """The sources that were surveyed."""
    done, honest = [], tasks.ingest.survey

    def counted(source, *rest):
        done.append(source)
        return honest(source, *rest)

    monkeypatch.setattr(tasks.ingest, "survey", counted)
    return done


def test_a_film_that_changes_while_it_is_read_is_not_ingested(vault, film):
    def grow(frames):
        if frames == 5:
            with film.open("ab") as file:
                file.write(b"more")

    with pytest.raises(SourceError, match="changed while it was read"):
        ingest(vault, str(film), None, grow)
    assert not list((film.parent / "vault").rglob("reel.json"))


def unchanged(vault, reel):
    pass


def made_by_older_code(vault, reel):
    """As before the looks, and before the record told which code made it."""
    record = json.loads(vault.read(f"{reel.key}/reel.json"))
    del record["surveyed_by"], record["rate_asked"]
    vault.write(f"{reel.key}/reel.json", json.dumps(record).encode())
    shutil.rmtree(vault.path(f"{reel.key}/looks"))


def made_by_other_code(vault, reel):
    other = replace(reel.reel, surveyed_by="0" * 16, frame_count=3)
    vault.write(f"{reel.key}/reel.json", tasks.ingest.reel_to_json(other))


def looks_deleted(vault, reel):
    vault.path(reel.looks).unlink()


def record_broken(vault, reel):
    vault.write(f"{reel.key}/reel.json", b"{")


def index_deleted(vault, reel):
    vault.path(f"{reel.key}/frames.parquet").unlink()


KNOWN = {
    # what became of the reel in the vault, how often it is surveyed in all
    "unchanged": (unchanged, 1),
    "made by older code": (made_by_older_code, 2),
    "made by other code": (made_by_other_code, 2),
    "its looks deleted": (looks_deleted, 2),
    "its record broken": (record_broken, 2),
    "its index deleted": (index_deleted, 2),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_reel_is_surveyed_again_where_it_must(name, vault, film, surveys):
    change, times = KNOWN[name]
    first = ingest(vault, str(film), None, quietly)
    change(vault, first)
    again = ingest(vault, str(film), None, quietly)
    assert again == first
    assert ingest(vault, str(film), None, quietly) == first
    assert len(surveys) == times
    assert find_shots(vault, again, None, quietly)


def test_a_rate_once_given_stays(vault, tmp_path):
    film = str(write_reel(tmp_path / "film", Kind(".264", "libx264", "yuv420p", Fraction(25))))
    first = ingest(vault, film, Fraction(16), quietly)
    made_by_other_code(vault, first)
    assert ingest(vault, film, None, quietly).reel.video.rate == 16
    assert ingest(vault, film, Fraction(18), quietly).reel.video.rate == 18


def test_two_copies_of_a_film_are_one_reel(vault, film, surveys):
    copy = shutil.copy(film, film.with_name("copy.mkv"))
    found = []
    threads = [
        threading.Thread(target=lambda path=path: found.append(ingest(vault, str(path), None, quietly)))
        for path in (film, copy)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(surveys) == 1
    assert found[0].rows == found[1].rows


@pytest.mark.parametrize(
    ("size", "pix_fmt", "kept"),
    [
        pytest.param((1920, 1080), "yuv422p10le", 34, id="HD"),
        pytest.param((4096, 2160), "yuv422p10le", 18, id="4K: the least"),
        pytest.param((2048, 1556), "gbrp10le", 28, id="2K RGB"),
        pytest.param((8192, 6144), "gbrp16le", 18, id="8K: the least"),
    ],
)
def test_what_is_kept_of_a_shot_is_bounded(size, pix_fmt, kept, vault, film):
    reel = ingest(vault, str(film), None, quietly)
    video = replace(reel.reel.video, width=size[0], height=size[1], pix_fmt=pix_fmt)
    shot = ShotFootage(IngestedReel(replace(reel.reel, video=video), reel.rows), 0, 5)
    assert shot._kept.maxlen == kept


@pytest.mark.parametrize("record", ["reel.json", "frames.parquet", "deliver/*/data/delivery.json"])
@pytest.mark.parametrize("data", [b"{}", b"junk", b"\xff"])
def test_a_broken_record_costs_its_reel_a_line_of_the_status(record, data, tmp_path):
    """And the other reel none."""
    good = deliver_reel(tmp_path / "vault", write_reel(tmp_path / "good", Kind()))
    bad = deliver_reel(tmp_path / "vault", write_reel(tmp_path / "bad", Kind(), seed=1))
    (path,) = (tmp_path / "vault" / bad.reel.key).glob(record)
    path.write_bytes(data)
    told = {status.reel_id: status for status in vault_status(str(tmp_path / "vault"))}
    assert len(told) == 2
    assert not told[good.reel.reel.reel_id].error
    assert told[bad.reel.reel.reel_id].error
    assert "\n" not in told[bad.reel.reel.reel_id].sentence()
