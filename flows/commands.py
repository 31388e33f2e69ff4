"""What the files of commands share; `flows.cli` opens the door to them."""

import argparse
from collections.abc import Callable
from typing import Any

DELIVERED, FAILED, USAGE, WITH_FAILURES = 0, 1, 2, 3
"""Exit statuses: all well; something failed; wrongly asked; delivered, but not all restored."""

Command = Callable[[str, Any, str], argparse.ArgumentParser]
"""Adds a command by its name, what runs it, and what is said of it."""


def at_least_one(text: str) -> int:
    """For options that count."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
