"""`make bench`: every benchmark in turn, each in a process of its own; fails when a floor is missed."""

import subprocess
import sys

_ALL = (
    "speed",
    "startup",
    "memory",
    "shots",
    "classical_quality",
    "network",
    "degradation",
    "reader",
    "synthesis",
    "colour",
    "colouring",
)


def main() -> int:
    """How many benchmarks failed."""
    failed = 0
    for name in sys.argv[1:] or _ALL:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
