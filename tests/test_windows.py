"""Training sees the same windows in the same order, whoever reads them, however often it is interrupted."""

import json
import pickle
from dataclasses import dataclass, replace
from itertools import count, islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from degradation.family import Moment
from degradation.recipe import Recipe
from degradation.recipes import HEAVY, RTN_PAPER, worn
from storage.corpus import write_shard
from storage.errors import StorageError
from tasks.corpora.templates import TemplatesError
from tasks.learning.windows import Feeder, Shuffle, Window, WindowConfig, Windows
from tasks.request import RequestError
from tests.corpora import make_clip, make_row, write_corpus
from tests.s3 import serving
from tests.scans import filled, scan

SMALL = WindowConfig(frames=4, crop_px=16, seed=5)
CLIPS = [make_clip(n, faded=n % 3 > 0) for n in range(7)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), CLIPS)


def changed(**fields):
    return WindowConfig(**{"frames": 4, "crop_px": 16, "seed": 5, **fields})


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def found_in(window, clip):
    """(first frame, top, left) where the clip shows the window in all streams, unflipped."""
    frames, _, height, width = window.damaged.shape
    for first in range(len(clip.damaged_TCHW) - frames + 1):
        views = np.lib.stride_tricks.sliding_window_view(clip.damaged_TCHW[first, 0], (height, width))
        for top, left in zip(
            *(views == window.damaged[0, 0].numpy()).all(axis=(2, 3)).nonzero(), strict=True
        ):
            cut = np.s_[first : first + frames, :, top : top + height, left : left + width]
            masks_T1HW = clip.masks_THW[:, None]
            whole = (clip.damaged_TCHW, clip.undamaged_TCHW, clip.target_TCHW, masks_T1HW)
            if same(window, [torch.from_numpy(stream[cut].copy()) for stream in whole]):
                return first, int(top), int(left)
    return None


def test_a_window_is_a_part_of_its_clip(corpus):
    windows = Windows(corpus, changed(flips=False))
    assert len(windows) == len(CLIPS)
    places = [found_in(windows[epoch, n], CLIPS[n]) for epoch in range(4) for n in range(len(CLIPS))]
    assert None not in places
    assert {first for first, _, _ in places} == set(range(7))
    assert all(len({place[axis] for place in places}) > 8 for axis in (1, 2))


@pytest.mark.parametrize("mode", ["stored", "fresh"])
def test_flips_turn_all_streams_alike(corpus, mode):
    plain, flipped = (Windows(corpus, changed(flips=flips, mode=mode)) for flips in (False, True))
    seen = set()
    for epoch in range(4):
        for n in range(len(CLIPS)):
            turns = [
                axes
                for axes in ((), (-1,), (-2,), (-1, -2))
                if same(flipped[epoch, n], [stream.flip(axes) for stream in plain[epoch, n]])
            ]
            assert len(turns) == 1
            seen |= set(turns)
        if mode == "fresh":
            break
    assert len(seen) >= 3


@pytest.mark.parametrize("mode", ["stored", "fresh"])
def test_an_item_is_decided_by_its_place(corpus, mode):
    first, again = (Windows(corpus, changed(mode=mode)) for _ in range(2))
    assert same(first[1, 2], again[1, 2])
    assert same(first[1, 2], pickle.loads(pickle.dumps(first))[1, 2])
    others = [first[2, 2], first[1, 3], Windows(corpus, changed(mode=mode, seed=6))[1, 2]]
    assert not any(same(first[1, 2], other) for other in others)
    assert all(stream.dtype == torch.uint8 and stream.shape == (4, 1, 16, 16) for stream in first[1, 2])


@pytest.mark.parametrize(("near_damage", "least", "most"), [(1.0, 1.0, 1.0), (0.0, 0.0, 0.4)])
def test_crops_lie_near_damage_as_often_as_wanted(corpus, near_damage, least, most):
    """Marks of 20 px in every other frame: a crop of 6x6 anywhere seldom meets one."""
    windows = Windows(corpus, changed(crop_px=6, near_damage=near_damage))
    met = [bool(windows[epoch, n].masks.any()) for epoch in range(12) for n in range(len(CLIPS))]
    assert least <= np.mean(met) <= most


def test_damage_lies_anywhere_in_a_crop_near_it(corpus):
    windows = Windows(corpus, changed(crop_px=6, near_damage=1.0))
    masks = np.stack([windows[epoch, n].masks.numpy() for epoch in range(12) for n in range(len(CLIPS))])
    assert (masks > 0).any(axis=(0, 1, 2)).all()


def test_fresh_damage_is_laid_on_the_clean_clip(corpus):
    windows = Windows(
        corpus, changed(mode="fresh", recipe=worn(HEAVY), crop_px=40, flips=False, near_damage=1.0)
    )
    marked = 0
    for n in range(len(CLIPS)):
        window = windows[0, n]
        differs = (window.damaged != window.undamaged).any(1, keepdim=True)
        assert not (differs & (window.masks == 0)).any()
        marked += int(differs.sum())
        errors = (window.target.float() - window.damaged.float()).abs()
        assert 0 < errors.mean() < 60
    assert marked


@dataclass(frozen=True)
class Losing:
    """Loses a frame before some."""

    before: tuple[int, ...]
    family = "losing"
    probability = 1.0

    def scaled(self, severity):
        return self

    def begin(self, setting):
        frames = count()
        return SimpleNamespace(next=lambda: Moment(lost_frames=int(next(frames) in self.before)))


def test_what_old_age_swallows_is_made_up_from_the_clip_s_end(tmp_path):
    """4 frames of 4, of which the second is missing."""
    clips = [make_clip(n, frames=4, faded=False) for n in range(2)]
    recipe = Recipe("losing", (Losing((1,)),))
    config = changed(mode="fresh", recipe=recipe, crop_px=40, flips=False)
    corpus = write_corpus(tmp_path, clips)
    shown = Windows(corpus, config)[0, 1].target.numpy()
    wanted = clips[1].clean_TCHW[[0, 2, 3, 2]]
    assert any(np.array_equal(shown, wanted[..., left : left + 40]) for left in range(9))
    with pytest.raises(StorageError, match="too_short: recipe losing made 3 of 4 frames"):
        Windows(corpus, replace(config, recipe=Recipe("losing", (Losing(tuple(range(9))),))))[0, 1]


def test_old_age_takes_scans_of_ones_own(corpus, tmp_path):
    """Sent to a worker, the folder goes and the scans stay."""
    scans = filled(tmp_path / "scans", {"a.png": scan()})
    ours = changed(mode="fresh", recipe=RTN_PAPER, near_damage=0.0)
    windows = Windows(corpus, replace(ours, templates=str(scans)))
    shown = windows[0, 1]
    assert not torch.equal(shown.damaged, Windows(corpus, ours)[0, 1].damaged)
    sent = pickle.dumps(windows)
    assert len(sent) < 150 * 200
    assert same(pickle.loads(sent)[0, 1], shown)
    (scans / "a.png").unlink()
    with pytest.raises(TemplatesError, match="put PNG"):
        pickle.loads(sent)[0, 1]
    with pytest.raises(TemplatesError, match="recipe heavy lays on no templates"):
        Windows(corpus, changed(mode="fresh", recipe=HEAVY, templates=str(scans)))


def ran(feeder, batches):
    return list(islice(feeder, batches))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_whoever_is_killed_goes_on_with_the_very_next_item(corpus, workers):
    """7 items in batches of 4: the state is taken in the middle of the second epoch, two batches before the
    end, while workers have read further ahead."""
    unbroken = ran(Feeder(Windows(corpus, SMALL), 4), 6)
    feeder = Feeder(Windows(corpus, SMALL), 4, workers)
    saved = ""
    for number, batch in enumerate(feeder):
        assert same(batch, unbroken[number])
        if number == 1:
            saved = json.dumps(feeder.state())
        if number == 3:
            break
    again = Feeder(Windows(corpus, SMALL), 4, 2 - workers, state=json.loads(saved))
    assert again.epoch == 1
    assert all(same(*pair) for pair in zip(ran(again, 4), unbroken[2:], strict=True))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_parts_make_up_the_batches_and_count_as_whole_ones(corpus, size):
    whole = Feeder(Windows(corpus, SMALL), 4)
    batches = ran(whole, 3)
    parts = [Feeder(Windows(corpus, SMALL), 4, rank=rank, size=size) for rank in range(size)]
    handed = [ran(part, 3) for part in parts]
    for number, batch in enumerate(batches):
        assert same(Window(*map(torch.cat, zip(*(each[number] for each in handed), strict=True))), batch)
    assert all(part.state() == whole.state() for part in parts)
    with pytest.raises(RequestError, match="batches of 4 cannot be split among 3 workers"):
        Feeder(Windows(corpus, SMALL), 4, rank=0, size=3)


def test_every_clip_has_its_turn_in_every_epoch():
    places = list(islice(Shuffle(5, 3), 15))
    epochs = [places[start : start + 5] for start in (0, 5, 10)]
    for number, epoch in enumerate(epochs):
        assert sorted(epoch) == [(number, item) for item in range(5)]
    assert len({tuple(item for _, item in epoch) for epoch in epochs}) > 1
    assert list(islice(Shuffle(5, 4), 15)) != places


@pytest.mark.parametrize("used", [0, 3, 5, 12])
def test_a_shuffle_goes_on_where_it_was(used):
    shuffle, again = Shuffle(5, 3), Shuffle(5, 3)
    shuffle.use(used)
    again.load_state_dict(shuffle.state_dict())
    assert list(islice(again, 9)) == list(islice(Shuffle(5, 3), used, used + 9))


@pytest.mark.parametrize("other", [Shuffle(6, 3), Shuffle(5, 4)], ids=["length", "seed"])
def test_the_state_of_another_order_is_refused(other):
    with pytest.raises(ValueError, match="another corpus, split or seed"):
        Shuffle(5, 3).load_state_dict(other.state_dict())


def test_training_s_own_dice_stay_as_they_are(corpus):
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    ran(Feeder(Windows(corpus, SMALL), 4), 2)
    assert torch.equal(torch.rand(3), wanted)


def test_from_s3_the_same(corpus, tmp_path, monkeypatch):
    """Two workers, each with connections of its own; what is not wanted stays where it is."""
    write_corpus(tmp_path / "bucket" / "corpus", CLIPS)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with serving(tmp_path) as (there, asked):
        windows = Windows(f"s3://bucket/corpus{there}", SMALL)
        assert same(windows[0, 0], Windows(corpus, SMALL)[0, 0])
        requests = len([ask for ask in asked if ask.startswith("GET shard")])
        assert requests < 10
        pairs = zip(ran(Feeder(windows, 4, 2), 3), ran(Feeder(Windows(corpus, SMALL), 4), 3), strict=True)
        assert all(same(*pair) for pair in pairs)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        pytest.param(changed(split="test"), "no clips for test", id="empty split"),
        pytest.param(changed(frames=11), "has 10 frames of 48x40, too little", id="too short"),
        pytest.param(changed(crop_px=41), "too little for windows of 4 frames of 41x41", id="too small"),
    ],
)
def test_what_a_corpus_cannot_give_is_told_at_once(corpus, config, complaint):
    with pytest.raises(StorageError, match=complaint):
        Windows(corpus, config)


def test_grey_and_colour_do_not_mix(tmp_path):
    corpus = write_corpus(tmp_path, [make_clip(0), make_clip(1, channels=3)])
    with pytest.raises(StorageError, match="grey clips and coloured"):
        Windows(corpus, SMALL)


def test_colour_is_read_and_aged(tmp_path):
    corpus = write_corpus(tmp_path, [make_clip(0, channels=3)])
    for mode in ("stored", "fresh"):
        window = Windows(corpus, changed(mode=mode))[0, 0]
        assert [stream.shape[1] for stream in window] == [3, 3, 3, 1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_clip_is_told_by_name_in_one_line(workers, tmp_path):
    corpus = write_corpus(tmp_path, CLIPS[:1])
    write_shard(tmp_path / "shard-00000.parquet", [{**make_row(CLIPS[0], 0), "damaged": b"x"}])
    wanted = r"^/\S*shard-00000\.parquet: row 0, damaged: a coded clip cannot be read: .*$"
    with pytest.raises(StorageError, match=wanted) as told:
        next(iter(Feeder(Windows(corpus, SMALL), 1, workers)))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "fields", [{"frames": 0}, {"crop_px": 0}, {"near_damage": 1.5}, {"seed": -1}], ids=str
)
def test_a_configuration_makes_sense(fields):
    with pytest.raises(ValueError, match="must"):
        changed(**fields)
