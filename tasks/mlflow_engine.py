"""The one module that touches MLflow: a server, or the user's own database, and runs that strangers can read.

SQLite in the user's data folder by default, a server by `MLFLOW_TRACKING_URI`. Runs are named, not "active":
two at once in one process do not meet.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from operator import methodcaller
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from storage.filesystem import first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
Refusal = Literal["RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"]

URI = "MLFLOW_TRACKING_URI"

# Read by MLflow when it is imported or called. A server that is away is told in a minute, not in ten.
_QUIET = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
_PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
_TRIES, _PAUSE_S = 4, 0.5
_ERROR = "error"
_NOTE = "mlflow.note.content"
_AWAY = "Max retries exceeded"
_BATCH = 100
"""Parameters, or metrics, told at once."""
LONGEST = 6000
"""Characters of a parameter, or of a tag, that it takes; less than its own limits."""
_REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
_SILENT_S = 300.0


class RegistryError(Exception):
    """MLflow, or something in it, is not there, or is not what it should be."""

    def __init__(self, told: str, refusal: str = "") -> None:
        """refusal: MLflow's own code, where it refused."""
        self.refusal = refusal
        super().__init__(told)


def home() -> Path:
    """The user's data folder: MLflow's database where no server is named, and bundles that were fetched."""
    data = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(data).absolute() if data else Path.home() / ".local" / "share") / "answerprint"


class Server:
    """MLflow at one address."""

    def __init__(self, uri: str = "") -> None:
        """uri: empty for `MLFLOW_TRACKING_URI`, or else the user's own database."""
        self.uri = uri or os.environ.get(URI, "").strip() or f"sqlite:///{home() / 'mlflow.db'}"

    @property
    def shown(self) -> str:
        """The address, without a password."""
        parts = urlsplit(self.uri)
        return (
            self.uri.replace(parts.netloc, parts.netloc.rpartition("@")[2])
            if "@" in parts.netloc
            else self.uri
        )

    def ask(self, call: "Callable[[MlflowClient], T]") -> T:
        """What MLflow answers; a locked database or a server that stumbles is asked again. Raises
        RegistryError, in one line."""
        tries = 0
        while True:
            try:
                return call(self._client)
            except self._troubles as error:
                tries += 1
                code = getattr(error, "error_code", "")
                if tries == _TRIES or code not in _PASSING:
                    # What MLflow raised shows the address whole, and logs show all that was raised.
                    cause = error if self.shown == self.uri else None
                    raise RegistryError(f"registry {self.shown}: {self._told(error)}", code) from cause
                time.sleep(_PAUSE_S)

    def ask_but(self, refusal: Refusal, call: "Callable[[MlflowClient], T]") -> T | None:
        """The same; None where MLflow refuses for this reason."""
        try:
            return self.ask(call)
        except RegistryError as error:
            if error.refusal == refusal:
                return None
            raise

    def download(self, uri: str, folder: Path) -> None:
        """One file that a run keeps. Raises RegistryError."""
        from mlflow.artifacts import download_artifacts

        self.ask(lambda _: download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=self.uri))

    def begin(
        self, experiment: str, name: str, tags: Mapping[str, str], told: Mapping[str, Any]
    ) -> "Tracked":
        """A new run under an experiment. told: what was asked for, kept as parameters. Raises
        RegistryError."""
        number = self._experiment(experiment)
        run = self.ask(lambda client: client.create_run(number, tags=dict(tags), run_name=name))
        tracked = Tracked(self, run.info.run_id, run.info.artifact_uri)
        try:
            tracked.parameters(told)
        except RegistryError as error:
            tracked.__exit__(type(error), error, None)
            raise
        return tracked

    def take_up(self, run_id: str) -> "Tracked | None":
        """A run that was stopped, open again; None where there is none."""
        run = self.ask_but("RESOURCE_DOES_NOT_EXIST", lambda client: client.get_run(run_id))
        if run is None or run.info.lifecycle_stage != "active":
            return None
        self.ask(lambda client: client.update_run(run_id, "RUNNING"))
        if _ERROR in run.data.tags:
            self.ask(lambda client: client.delete_tag(run_id, _ERROR))
        return Tracked(self, run_id, run.info.artifact_uri)

    @property
    def _database(self) -> Path | None:
        """The file of a local database."""
        parts = urlsplit(self.uri)
        if parts.scheme != "sqlite":
            return None
        return Path(unquote(parts.path.removeprefix("/"))).absolute()

    def _told(self, error: Exception) -> str:
        """For people, and without the password that MLflow shows."""
        if _AWAY in str(error):
            return f"does not answer; start `mlflow server` there, or name another by {URI}"
        return first_line(error).replace(self.uri, self.shown)

    @cached_property
    def _troubles(self) -> tuple[type[Exception], ...]:
        from mlflow.exceptions import MlflowException

        return MlflowException, OSError

    @cached_property
    def _client(self) -> "MlflowClient":
        os.environ.update({key: value for key, value in _QUIET.items() if key not in os.environ})
        if self._database is None:
            return self._connected()
        self._database.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that make the tables at once would spoil each other's.
        with FileLock(f"{self._database}.lock"):
            return self._connected()

    def _connected(self) -> "MlflowClient":
        from mlflow import MlflowClient

        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        client = MlflowClient(self.uri, self.uri)
        client.search_experiments(max_results=1)
        return client

    def _experiment(self, name: str) -> str:
        known = self.ask(lambda client: client.get_experiment_by_name(name))
        if known is None:
            place = (self._database.parent / "artifacts").as_uri() if self._database else None
            made = self.ask_but(
                "RESOURCE_ALREADY_EXISTS", lambda client: client.create_experiment(name, place)
            )
            if made is not None:
                return str(made)
            known = self.ask(lambda client: client.get_experiment_by_name(name))
        if known is None or known.lifecycle_stage != "active":
            raise RegistryError(f"registry {self.shown}: experiment {name} was deleted; restore or purge it")
        return str(known.experiment_id)


class Tracked:
    """One run, open until it is left. What is told of it must not cost a training: numbers, tags and pictures
    that MLflow cannot take are counted, not raised; parameters and files are raised."""

    def __init__(self, server: Server, run_id: str, artifacts: str) -> None:
        """artifacts: where its files are kept, as MLflow calls it."""
        self._server, self.run_id, self.artifacts = server, run_id, artifacts
        self._lost = 0
        self._silent_until = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = "FINISHED" if kind is None else "KILLED" if kind is KeyboardInterrupt else "FAILED"
        self._silent_until = 0.0  # how it ended is worth a minute
        if error is not None:
            self.tags({_ERROR: first_line(error) if str(error) else type(error).__name__})
        if self._lost:
            self.tags({"untold": str(self._lost)})
        with suppress(RegistryError):
            self._server.ask(lambda client: client.set_terminated(self.run_id, status))

    def _try(self, call: Callable[["MlflowClient"], Any]) -> None:
        """A server that is away takes a minute to say so: it is not asked again for a while."""
        if time.monotonic() < self._silent_until:
            self._lost += 1
            return
        try:
            self._server.ask(call)
        except RegistryError as error:
            self._lost += 1
            if error.refusal not in _REFUSED:
                self._silent_until = time.monotonic() + _SILENT_S

    def parameters(self, told: Mapping[str, Any]) -> None:
        """What it was asked for, nested names joined by dots."""
        from mlflow.entities import Param

        pairs = [Param(key, str(value)[:LONGEST]) for key, value in _flat(told)]
        for start in range(0, len(pairs), _BATCH):
            part = pairs[start : start + _BATCH]
            self._server.ask(methodcaller("log_batch", self.run_id, params=part))

    def tags(self, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self._try(methodcaller("set_tag", self.run_id, key, value[:LONGEST]))

    def note(self, text: str) -> None:
        """Markdown that MLflow's page shows above all else."""
        self.tags({_NOTE: text})

    def numbers(self, step: int, told: Mapping[str, float]) -> None:
        """Metrics of a step. One that is told twice, after a restart, stands twice."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, float(value), now, step) for key, value in told.items()]
        for start in range(0, len(metrics), _BATCH):
            part = metrics[start : start + _BATCH]
            self._try(methodcaller("log_batch", self.run_id, metrics=part))

    def picture(self, name: str, picture_HWC: NDArray[np.uint8]) -> None:
        """An RGB picture as `pictures/<name>.png`."""
        _, data = cv2.imencode(".png", picture_HWC[..., ::-1])
        with tempfile.TemporaryDirectory() as place:
            path = Path(place, f"{name}.png")
            path.write_bytes(data.tobytes())
            self._try(lambda client: client.log_artifact(self.run_id, str(path), "pictures"))

    def file(self, path: Path, folder: str = "") -> None:
        """A file or a directory, kept with the run. Raises RegistryError."""
        if path.is_dir():
            self._server.ask(lambda client: client.log_artifacts(self.run_id, str(path), folder or path.name))
        else:
            self._server.ask(lambda client: client.log_artifact(self.run_id, str(path), folder or None))


def _flat(told: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in told.items():
        flat += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(f"{before}{key}", value)]
    return flat
