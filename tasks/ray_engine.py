"""Ray at work: on this machine, or the cluster at RAY_ADDRESS. To be imported before Ray itself."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Ray reads these when it is imported: no telemetry, no wrapping of workers in `uv run`, devices left alone.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")

_REACH_S = 5
# Pixels do not travel through the object store; Ray refuses to start with less than about this.
_OBJECT_STORE_BYTES = 100 * 1024 * 1024


class PoolError(Exception):
    """The workers are gone; what they finished is kept."""


def start_ray(ray: Any) -> bool:
    """Whether it was started here, to be shut down again; else one was running in this process already.

    On this machine, or the cluster at RAY_ADDRESS. Raises PoolError where nothing answers there.
    """
    if ray.is_initialized():
        return False
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": "CRITICAL",
        "configure_logging": True,
    }
    if not os.environ.get("RAY_ADDRESS"):
        options |= {
            "address": "local",
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    _check_reachable(os.environ.get("RAY_ADDRESS"))
    try:
        with _importable():
            ray.init(**options)
    except ConnectionError as error:
        ray.shutdown()
        address, mode = os.environ.get("RAY_ADDRESS"), os.environ.get("RAY_AUTH_MODE", "unset")
        raise PoolError(
            f"no Ray cluster answers at RAY_ADDRESS={address} (RAY_AUTH_MODE={mode}; where the cluster "
            "asks for a token, set it to token); unset RAY_ADDRESS to work on this machine alone"
        ) from error
    return True


@contextmanager
def _importable() -> Iterator[None]:
    """Processes started here find this code where it was found here: Ray puts the caller's places behind
    those of what is installed, which may be another checkout. A cluster has its own."""
    before = os.environ.get("PYTHONPATH")
    house = Path(__file__).resolve().parents[1]
    if house.name not in ("site-packages", "dist-packages"):
        os.environ["PYTHONPATH"] = os.pathsep.join([str(house), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before


def _check_reachable(address: str | None) -> None:
    """Ray itself tries for minutes. Raises PoolError where nothing listens; only host:port is tried."""
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except OSError as error:
        raise PoolError(
            f"nothing answers at RAY_ADDRESS={address}; start the cluster, or unset RAY_ADDRESS to work on "
            "this machine alone"
        ) from error
