"""What a person names becomes a list of reels: each once, by its absolute path, whatever the disk is like."""

from pathlib import Path

import pytest

from tasks.request import RequestError
from tasks.sources import find_sources


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A working directory, its name full of marks, with films, scans, links in circles and lists."""
    root = tmp_path / "archive [1]"
    for folder in ("box/deep", "box/scan", "home"):
        (root / folder).mkdir(parents=True)
    for film in ("a.mkv", "box/b.mov", "box/deep/reel #3.mkv", "box/scan/f.0001.tif", "box/scan/f.0002.tif"):
        (root / film).write_bytes(b"film")
    (root / "box" / "deep" / "round").symlink_to(root / "box")
    (root / "box" / "self").symlink_to("self")
    (root / "box" / "self.tif").symlink_to("self.tif")
    (root / "link.mkv").symlink_to("a.mkv")
    (root / "list.txt").write_text(
        "# what we have\na.mkv\n  # and more\n\nbox/deep/reel #3.mkv\nbox/scan/f.####.tif\nlist.txt\ns3://films/x.mkv\n"
    )
    (root / "only-itself.txt").write_text("only-itself.txt\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("HOME", str(root / "home"))
    (root / "home" / "h.mkv").write_bytes(b"film")
    return root


BOX = ["box/b.mov", "box/deep/reel #3.mkv", "box/scan"]
NAMED = {
    "a file": (["a.mkv"], ["a.mkv"]),
    "a file by URI": (["file:{root}/a.mkv"], ["a.mkv"]),
    "a blank in a URI": (["file://{root}/box/deep/reel%20#3.mkv"], ["box/deep/reel #3.mkv"]),
    "the same three times": (["a.mkv", "./a.mkv", "{root}/box/../a.mkv", "file:{root}/a.mkv"], ["a.mkv"]),
    "a link keeps its name": (["link.mkv"], ["link.mkv"]),
    "a link and what it leads to": (["link.mkv", "a.mkv"], ["link.mkv"]),
    "at home": (["~/h.mkv"], ["home/h.mkv"]),
    "a directory with links in circles": (["box"], BOX),
    "a glob": (["b?x/*.mov", "b?x/d??p/*.mkv"], BOX[:2]),
    "a pattern": (["box/scan/f.####.tif"], ["box/scan/f.####.tif"]),
    "a list that lists itself": (
        ["list.txt"], ["a.mkv", "box/deep/reel #3.mkv", "box/scan/f.####.tif", "s3://films/x.mkv"]
    ),
    "missing": (["none.mkv"], ["none.mkv"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_sources(name, archive):
    named, expected = NAMED[name]
    found = find_sources([text.format(root=archive) for text in named])
    assert found == [source if "://" in source else str(archive / source) for source in expected]


@pytest.mark.parametrize("named", ["none*.mkv", "home/../box/none*.mov", "only-itself.txt"])
def test_what_gives_nothing_is_told(named, archive):
    with pytest.raises(RequestError, match="no films there"):
        find_sources([named])


def test_a_glob_over_films_is_no_image_sequence(tmp_path: Path) -> None:
    for name in ("a.mkv", "b.mov"):
        (tmp_path / name).touch()
    assert find_sources([f"{tmp_path}/*"]) == [str(tmp_path / "a.mkv"), str(tmp_path / "b.mov")]
