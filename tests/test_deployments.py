"""prefect.yaml deploys flows that exist, with parameters they take, and wakes none of them by itself."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.colour_archive import colour_archive
from flows.evaluate import evaluate
from flows.restore_archive import restore_archive
from flows.retrain import retrain
from flows.retrain_colour import retrain_colour
from flows.synthesize_corpus import synthesize_corpus

ROOT = Path(__file__).parent.parent
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
FLOWS = {
    "flows/colour_archive.py:colour_archive": colour_archive,
    "flows/evaluate.py:evaluate": evaluate,
    "flows/retrain.py:retrain": retrain,
    "flows/retrain_colour.py:retrain_colour": retrain_colour,
    "flows/restore_archive.py:restore_archive": restore_archive,
    "flows/synthesize_corpus.py:synthesize_corpus": synthesize_corpus,
}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: f"{d['entrypoint']} {d['name']}")
def test_a_deployment_fits_its_flow(deployment: dict[str, Any]) -> None:
    taken = inspect.signature(FLOWS[deployment["entrypoint"]].fn).parameters
    assert deployment["parameters"].keys() <= taken.keys()
    needed = {name for name, parameter in taken.items() if parameter.default is parameter.empty}
    assert needed <= deployment["parameters"].keys()
    FLOWS[deployment["entrypoint"]].validate_parameters(deployment["parameters"])
    for schedule in deployment["schedules"]:
        assert schedule["slug"]
        assert schedule["cron"]
        assert schedule["active"] is False


def test_every_flow_is_deployed_once_under_a_name() -> None:
    named = [(deployment["entrypoint"], deployment["name"]) for deployment in DEPLOYMENTS]
    assert len(set(named)) == len(named)
    assert {entrypoint for entrypoint, _ in named} == FLOWS.keys()
