"""Weights from elsewhere, made a bundle that restorers are loaded from."""

import os
from dataclasses import dataclass
from pathlib import Path

from models.checkpoint import read_state, sha256_of
from models.errors import WeightsError as WeightsError
from models.weights import CONFIG, read_bundle, write_bundle

# Where published RTN checkpoints keep the network; a discriminator may stand beside it.
_PART = "netG"


@dataclass(frozen=True)
class ImportedWeights:
    """What an import made."""

    source: str
    bundle: str
    architecture: str
    values: int
    """How many numbers the network has learnt."""
    source_sha256: str
    sha256: str
    """Of the bundle's weights: what records call them by."""

    def sentence(self) -> str:
        named = self.bundle if os.sep in self.bundle else f".{os.sep}{self.bundle}"
        return (
            f"{self.source}: an {self.architecture.upper()} of {self.values:,} values, written to {named}\n"
            f"  weights sha256 {self.sha256}\n"
            f"  restore with it: answerprint restore FILM --vault VAULT --restorer {named}"
        )


def import_weights(source: str, output: str | None = None) -> ImportedWeights:
    """A published RTN checkpoint as a bundle at `output`; in the working directory, named like the file, if
    left out.

    Only tensors are taken from the file, nothing in it is run. Raises WeightsError.
    """
    path = Path(source).expanduser()
    folder = Path(output).expanduser() if output else Path(path.stem)
    state = read_state(path, _PART)
    source_sha256 = sha256_of(path)
    _keep_others(folder, source_sha256)
    from models.rtn import RTN  # torch takes seconds to import

    network = RTN.from_config("rtn-paper")
    try:
        network.load_published(state)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"{source}: {str(error).splitlines()[0]}") from error
    origin = {"file": path.name, "sha256": source_sha256, "as": "published RTN checkpoint"}
    bundle = write_bundle(folder, network, origin=origin, licence="unknown; ask who published the checkpoint")
    values = sum(weight.numel() for weight in network.parameters())
    return ImportedWeights(source, str(folder), bundle.architecture, values, source_sha256, bundle.sha256)


def _keep_others(folder: Path, source_sha256: str) -> None:
    """Raises WeightsError where a bundle of something else would be overwritten."""
    if not (folder / CONFIG).is_file():
        return
    if read_bundle(folder).origin.get("sha256") != source_sha256:
        raise WeightsError(f"{folder}: holds another bundle; name another directory with --output")
