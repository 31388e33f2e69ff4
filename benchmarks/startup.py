"""From the command to the first shot being worked on: at most 20 s with nothing running, 8 s with servers up.

python -m benchmarks.startup
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.films import write_film

_COLD_S, _WARM_S = 20.0, 8.0
_PREFECT_PORT, _RAY_PORT = 4281, 6391
_SERVER_S = 60


def main() -> int:
    """0 where both floors hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = write_film(folder / "film.mkv", 320, 240, 24, 24)
        environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect")}
        first = _seconds(film, folder / "first", environment)
        cold = _seconds(film, folder / "cold", environment)
        with _servers(environment) as served:
            warm = _seconds(film, folder / "warm", served)
    print(f"nothing running: {first:.1f} s the first time (Prefect makes its database), then {cold:.1f} s")
    print(f"servers up: {warm:.1f} s")
    return int(max(first, cold) > _COLD_S or warm > _WARM_S)


def _seconds(film: Path, vault: Path, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "flows.cli", "restore", str(film), "--vault", str(vault), "--json"]
    started = time.perf_counter()
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    while not any((vault / ".staging").glob("*/restored.mkv")):
        if run.poll() is not None:
            raise SystemExit("the run ended before it started")
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    run.wait()
    return seconds


class _servers:
    """A Prefect server and a one-machine Ray cluster, for as long as the block lasts."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = {
            **environment,
            "PREFECT_API_URL": f"http://127.0.0.1:{_PREFECT_PORT}/api",
            "RAY_ADDRESS": f"127.0.0.1:{_RAY_PORT}",
            "RAY_AUTH_MODE": "disabled",
        }

    def __enter__(self) -> dict[str, str]:
        bin_ = Path(sys.executable).parent
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": self._environment}
        serve = [
            str(bin_ / "prefect"),
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(_PREFECT_PORT),
        ]
        self._server = subprocess.Popen(serve, **quiet)  # type: ignore[call-overload]
        head = [str(bin_ / "ray"), "start", "--head", "--port", str(_RAY_PORT), "--include-dashboard=false"]
        subprocess.run(head, check=True, **quiet)  # type: ignore[call-overload]
        _wait_for_server()
        return self._environment

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()
        ray = str(Path(sys.executable).parent / "ray")
        subprocess.run([ray, "stop", "--force"], check=False, capture_output=True, env=self._environment)


def _wait_for_server() -> None:
    import httpx

    until = time.monotonic() + _SERVER_S
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{_PREFECT_PORT}/api/health").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise SystemExit("the Prefect server does not start")


if __name__ == "__main__":
    sys.exit(main())
