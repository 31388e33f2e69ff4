"""The commands that list, promote and roll back registered models; `flows.cli` opens the door to them."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from flows.commands import DELIVERED, Command

if TYPE_CHECKING:
    from tasks.learning.registry import Version


def add_commands(command: Command) -> None:
    command("models", _models, "list the registered models and where they are kept")
    for name, run, text in (
        ("promote", _promote, "make a registered model the champion"),
        ("rollback", _rollback, "give the champion before its place back"),
    ):
        sub = command(name, run, text)
        if name == "promote":
            sub.add_argument(
                "model",
                metavar="MODEL",
                help="models:/answerprint/3, 3, or challenger; colourisers: models:/answerprint-colour/3",
            )
        else:
            sub.add_argument("--colour", action="store_true", help="of colourisers, not of restorers")
        sub.add_argument("--because", required=True, metavar="WHY", help="kept with the model")


def _models(options: argparse.Namespace) -> int:
    from tasks.learning.registry import MODELS, Registry

    registry = Registry()
    versions = [version for model in MODELS for version in Registry(registry.server, model).versions()]
    if options.json:
        print(
            json.dumps({"registry": registry.server.shown, "versions": [asdict(each) for each in versions]})
        )
        return DELIVERED
    for version in versions:
        print(_line(version))
    where = registry.server.shown
    shows = f"`mlflow ui --backend-store-uri {where}`" if where.startswith("sqlite:") else "its page"
    print(f"{len(versions)} versions in {where}; {shows} shows how they came about")
    return DELIVERED


def _line(version: "Version") -> str:
    became = [f"the {alias}" for alias in version.aliases]
    became += ["rolled back"] if "rolled_back" in version.tags and "champion" not in version.aliases else []
    told = f", {', '.join(became)}" if became else ""
    gate = f"; gate {version.tags['gate']}: {version.tags['gate_because']}" if "gate" in version.tags else ""
    return f"{version.name}  {version.sha256[:16]}  {version.made}{told}{gate}"


def _promote(options: argparse.Namespace) -> int:
    from tasks.learning.registry import MODEL, Registry, is_registered_name, model_of

    model = options.model
    if not is_registered_name(model):
        model = f"models:/{MODEL}/{model}" if model.isdigit() else f"models:/{MODEL}@{model}"
    registry = Registry(model=model_of(model))
    version = registry.version(model)
    before = registry.promote(version, options.because)
    told = {"champion": version.name, "before": before.name if before else None}
    if options.json:
        print(json.dumps(told))
    else:
        print(f"{version.name} is the champion now; before it was {told['before'] or 'nobody'}")
    return DELIVERED


def _rollback(options: argparse.Namespace) -> int:
    from tasks.learning.registry import COLOUR_MODEL, MODEL, Registry

    lost, now = Registry(model=COLOUR_MODEL if options.colour else MODEL).rollback(options.because)
    if options.json:
        print(json.dumps({"champion": now.name if now else None, "before": lost.name}))
    else:
        again = f"{now.name} is the champion again" if now else "there is no champion now"
        print(f"{again}; {lost.name} no longer is")
    return DELIVERED
