"""What names outputs: code that is edited, and code that is not there."""

from pathlib import Path

import pytest

from storage.digest import digest_of_code


def test_an_edit_renames_what_the_code_makes(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room/one.py").write_text("A = 1\n")
    (tmp_path / "two.py").write_text("B = 1\n")
    places = (tmp_path / "room", tmp_path / "two.py")
    before = digest_of_code(*places)
    assert digest_of_code(*places) == before
    (tmp_path / "room/one.py").write_text("A = 2\n")
    digest_of_code.cache_clear()  # a run goes by the code that it began with
    assert digest_of_code(*places) != before


def test_code_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.py: no code here"):
        digest_of_code(tmp_path / "gone.py")
