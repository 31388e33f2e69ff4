"""Corpora made with someone's own scans of dirt: by any command, and told where the scans are not those."""

import json
import pickle
import shutil
from pathlib import Path

import pytest

from degradation.recipes import MEDIUM, RTN_PAPER
from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE
from storage.corpus import RECORD
from tasks.corpora import dispatch as corpus_dispatch
from tasks.corpora.errors import CorpusError
from tasks.corpora.rebuild import rebuild_corpus
from tasks.corpora.recipes import recipe_facts
from tasks.corpora.templates import TemplatesError, read_templates, sheets_for, with_templates
from tasks.corpora.verify import verify_corpus
from tasks.dask_engine import Engine
from tests.scans import filled, scan
from tests.shelf import FRAMES, SIZE, bytes_of, clips_of, made, planned

pytestmark = pytest.mark.usefixtures("quiet_prefect")

_CLIPS = 12


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    return filled(tmp_path / "scans", {"001/lines.png": scan(), "dirt.jpg": scan(".jpg"), "LICENCE": b"mine"})


def asked(shelf: Path, vault: Path, *more: object) -> list[str]:
    small = ["--clips", _CLIPS, "--frames", FRAMES, "--size", SIZE]
    return [str(each) for each in ("synthesize", shelf, "--vault", vault, "--name", "test", *small, *more)]


def test_the_command_lays_on_the_scans_that_it_is_given(
    crew: Engine, shelf: Path, scans: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Workers read them; whoever looks into the corpus names the folder again, wherever it lies by then."""
    given = ("--recipe", "rtn-paper", "--templates", scans, "--workers", 2, "--json")
    assert main(asked(shelf, tmp_path / "vault", *given)) == DELIVERED
    found = Path(json.loads(capfd.readouterr().out)["corpus"])
    record = json.loads((found / RECORD).read_text())
    (told,) = (each for each in record["recipe"]["families"] if each["family"] == "templates")
    assert told["templates_sha256"] == read_templates(scans).sha256
    ours = made(planned(shelf, tmp_path / "ours", clips=_CLIPS, recipe="rtn-paper"))
    assert found.name != ours.name
    pairs = zip(clips_of(found / "shard-00000.parquet"), clips_of(ours / "shard-00000.parquet"), strict=True)
    for theirs, own in pairs:
        assert (theirs.clean_TCHW == own.clean_TCHW).all()
        assert (theirs.damaged_TCHW != own.damaged_TCHW).any()

    moved = scans.rename(tmp_path / "moved")
    assert verify_corpus(crew, str(found), True, str(moved)).problems == ()
    sources, tell = [str(shelf)], lambda clips: None
    rebuilt = rebuild_corpus(crew, str(found), str(tmp_path / "other"), sources, tell, str(moved))
    assert rebuilt.differing == ()
    assert bytes_of(Path(rebuilt.corpus)) == bytes_of(found)

    others = filled(tmp_path / "others", {"dirt.png": scan()})
    for command in (["verify", str(found)], ["rebuild", str(found), "--vault", str(tmp_path / "third")]):
        for folder, words in ((None, "name their folder with --templates"), (others, "was made with")):
            named = ["--templates", str(folder)] if folder else []
            assert main(["corpus", *command, *named, "--workers", "1"]) == FAILED
            said = "".join(capfd.readouterr()).strip()
            assert words in said
            assert told["templates_sha256"][:16] in said
            assert len(said.splitlines()) == 1


def test_where_the_scans_lie_changes_no_name(shelf: Path, scans: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(scans, tmp_path / "copied")

    def key(folder: Path) -> str:
        return planned(shelf, tmp_path / "vault", recipe="rtn-paper", templates=str(folder)).key

    first = key(scans)
    assert key(copied) == first
    assert key(filled(copied, {"more.png": scan()})) != first


def test_jobs_carry_the_folder_and_no_pixels(shelf: Path, scans: Path, tmp_path: Path) -> None:
    jobs = [
        planned(shelf, tmp_path / "vault", recipe="rtn-paper", templates=folder).jobs()[0]
        for folder in ("", str(scans))
    ]
    bare, given = (len(pickle.dumps(job)) for job in jobs)
    assert given - bare < 500 < 150 * 200


def test_a_process_reads_the_scans_once(scans: Path) -> None:
    recipe = with_templates(RTN_PAPER, str(scans))
    sheets = sheets_for(recipe, str(scans))
    assert sheets_for(recipe, str(scans)) is sheets
    assert with_templates(recipe, str(scans)) == recipe
    filled(scans, {"dirt.jpg": scan(".jpg", dark=True)})
    with pytest.raises(TemplatesError, match="was made with templates"):
        sheets_for(recipe, str(scans))


def test_scans_that_change_stop_the_run_at_once(
    crew: Engine, shelf: Path, scans: Path, tmp_path: Path
) -> None:
    plan = planned(shelf, tmp_path / "vault", recipe="rtn-paper", templates=str(scans))
    (scans / "dirt.jpg").unlink()
    with pytest.raises((TemplatesError, CorpusError), match=r"scans: holds templates \w{16}, recipe") as told:
        corpus_dispatch.make_shards(crew, plan, lambda clips: None)
    assert isinstance(told.value, TemplatesError)
    assert not list((tmp_path / "vault").glob("corpora/*/*/*"))


BAD = {
    "no folder": (["rtn-paper", "--templates", "{dir}/none"], "none: no folder of templates"),
    "no scans": (["rtn-paper", "--templates", "{dir}/empty"], "empty: no templates; put PNG"),
    "cut short": (["rtn-paper", "--templates", "{dir}/broken"], "a.png: "),
    "an object store": (["rtn-paper", "--templates", "s3://bucket/scans"], "every worker can open"),
    "a recipe without": (["medium", "--templates", "{dir}/scans"], "recipe medium lays on no templates"),
    "others": (["{dir}/mine.json", "--templates", "{dir}/scans"], "made with templates 7777777777777777"),
    "left out": (["{dir}/mine.json"], "name their folder with --templates"),
}


@pytest.mark.parametrize("name", BAD)
def test_scans_that_do_not_serve_are_told_in_one_line(
    name: str, shelf: Path, scans: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, told = BAD[name]
    (tmp_path / "empty").mkdir()
    filled(tmp_path / "broken", {"a.png": scan()[:200]})
    facts = recipe_facts(RTN_PAPER)
    facts["families"][1]["templates_sha256"] = "7" * 64
    (tmp_path / "mine.json").write_text(json.dumps(facts))
    given = [argument.format(dir=tmp_path) for argument in ("--recipe", *arguments)]
    assert main(asked(shelf, tmp_path / "vault", *given)) == USAGE
    said = "".join(capfd.readouterr()).strip()
    assert told in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "vault").exists()


def test_a_recipe_without_scans_stays_as_it_is() -> None:
    for recipe in (MEDIUM, RTN_PAPER):
        assert with_templates(recipe, "") is recipe
