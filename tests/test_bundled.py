"""The weights that come with Answerprint are whole, and say what they are."""

import pytest

from models.bundled import SHIPPED
from models.weights import CONFIG, WEIGHTS, check_weights, read_bundle


@pytest.mark.parametrize(
    ("name", "figures"), [("reweave", ("PSNR", "harm")), ("redye", ("CIEDE2000", "flicker"))]
)
def test_what_comes_with_us_says_what_it_is(name: str, figures: tuple[str, ...]) -> None:
    folder = SHIPPED[name]
    bundle = read_bundle(folder)
    check_weights(bundle)
    assert bundle.architecture == name
    assert sorted(path.name for path in folder.iterdir()) == sorted([CONFIG, WEIGHTS, "card.md"])
    card = (folder / "card.md").read_text()
    for said in (
        bundle.sha256,
        bundle.licence,
        "licence",
        "origin",
        "corpus",
        *figures,
        "What it is not for",
    ):
        assert said in card, said


def test_none_comes_along_without_being_looked_at() -> None:
    assert {path.name for path in SHIPPED["redye"].parent.iterdir()} == {"reweave", "redye"} == {*SHIPPED}
