"""What a person sees of a run."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from flows.terminal import _columns


@pytest.mark.parametrize("name", ["[bold]reel[/bold].mkv", "reel [1].mkv", "[/].mkv", "plain.mkv"])
def test_a_films_name_is_shown_as_it_is(name):
    screen = io.StringIO()
    with Progress(*_columns(), console=Console(file=screen, width=200)) as progress:
        progress.add_task(f"{name} ingest", total=3)
    assert f"{name} ingest" in screen.getvalue()
