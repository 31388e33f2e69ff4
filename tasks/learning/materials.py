"""What a network learns from, out of a corpus: windows of clips, seen as a restorer would see them."""

from torch.utils.data import Dataset

from models.training.material import MARGIN_FRAMES, MARGIN_PX, Material, part, seen
from tasks.learning.windows import Place, WindowConfig, Windows


class Materials(Dataset[Material]):
    """The windows of a corpus as material; each is seen in the process that reads it."""

    def __init__(self, corpus: str, config: WindowConfig) -> None:
        """config: its crops hold a margin of `MARGIN_PX`, and its frames one of `MARGIN_FRAMES`, that nothing
        is learnt from. Raises as `Windows`, and ValueError for crops that no network takes."""
        inner = config.crop_px - 2 * MARGIN_PX
        if inner < 32 or inner % 32:
            raise ValueError(
                f"crop_px must be {2 * MARGIN_PX} more than a multiple of 32, not {config.crop_px}"
            )
        self._windows = Windows(corpus, config)

    @property
    def config(self) -> WindowConfig:
        return self._windows.config

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, place: Place) -> Material:
        """Raises StorageError where the clip cannot be read."""
        window = self._windows[place]
        whole = seen(window.damaged.numpy(), window.undamaged.numpy(), window.masks.numpy())
        # A third begins where its film does, a third ends so, and a third lies amidst.
        return part(whole, sum(place) % (MARGIN_FRAMES + 1), self.config.frames - MARGIN_FRAMES)
