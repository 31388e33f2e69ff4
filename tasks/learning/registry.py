"""The registry of models: versions of restorers and of colourisers, their champions, and the way back.

A version is a weight bundle, `config.json` and `model.safetensors`, and its card: nothing in it can run.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal, get_args

from models.checkpoint import sha256_of
from models.errors import WeightsError
from models.weights import CONFIG, WEIGHTS, check_weights, read_bundle
from tasks.mlflow_engine import LONGEST, RegistryError, Server, Tracked, home

Model = Literal["answerprint", "answerprint-colour"]
MODEL: Model = "answerprint"
COLOUR_MODEL: Model = "answerprint-colour"
MODELS: tuple[Model, ...] = get_args(Model)
CHAMPION, CHALLENGER = "champion", "challenger"
CARD = "card.md"
_SCHEME = "models:/"
_NAMED = re.compile(
    rf"{_SCHEME}(?P<model>{'|'.join(MODELS)})(?:/(?P<number>[1-9][0-9]*)|@(?P<alias>[a-z][a-z0-9_-]*))"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BUNDLE = "bundle"
_MOST = 1000
_LONGEST_DESCRIPTION = 5000
"""Characters: its column's, which PostgreSQL and MySQL hold to. The card itself lies beside the bundle."""
_WEIGHTS, _WHOLE = "sha256", "bundle_sha256"
_ROLLED_BACK, _SUCCESSION = "rolled_back", "succession"
_DESCRIPTIONS: Mapping[Model, str] = {
    MODEL: "Restorers of damaged film: weight bundles, in which nothing can run.",
    COLOUR_MODEL: "Colourisers of grey film: weight bundles, in which nothing can run.",
}

_KINDS: Mapping[Model, str] = {MODEL: "restores film", COLOUR_MODEL: "colours film"}


@dataclass(frozen=True)
class Version:
    """One registered model."""

    number: int
    sha256: str
    """Of its weights."""
    bundle_sha256: str
    """Of its `config.json`, which holds that of the weights, and how they are to be used."""
    run_id: str
    source: str
    """Where MLflow keeps its bundle."""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    made: str = ""
    """When it was registered: UTC, ISO 8601."""
    model: Model = MODEL
    """What it is a version of."""

    @property
    def name(self) -> str:
        """By which it can be asked for, for good."""
        return f"{_SCHEME}{self.model}/{self.number}"

    @property
    def title(self) -> str:
        """For people and records."""
        return f"{self.model} version {self.number} ({self.sha256[:16]})"


def is_registered_name(name: str) -> bool:
    """Whether a restorer's or colouriser's name asks for the registry."""
    return name.startswith(_SCHEME)


def model_of(name: str) -> Model:
    """Which model a registered name is of; restorers' where it names none."""
    parsed = _NAMED.fullmatch(name)
    return next((model for model in MODELS if parsed and parsed["model"] == model), MODEL)


class Registry:
    """The versions of one model at one address."""

    def __init__(self, server: Server | None = None, model: Model = MODEL) -> None:
        self.server, self.model = server or Server(), model

    def register(self, run: Tracked, folder: Path, card: str, tags: Mapping[str, str]) -> Version:
        """A bundle as a version, with its card; it has no alias yet. One that the run registered before is
        taken again, and told anew. Raises RegistryError, WeightsError."""
        bundle = read_bundle(folder)
        check_weights(bundle)
        whole = sha256_of(folder / CONFIG)
        told = {key: value[:LONGEST] for key, value in tags.items()}
        for version in self.versions():
            if (version.run_id, version.bundle_sha256) == (run.run_id, whole):
                self.tag(version, told)
                return self.version(version.name)
        with tempfile.TemporaryDirectory() as place:
            written = Path(place, CARD)
            written.write_text(card, encoding="utf-8")
            for path in (folder / CONFIG, folder / WEIGHTS, written):
                run.file(path, _BUNDLE)
        self.server.ask_but(
            "RESOURCE_ALREADY_EXISTS",
            lambda client: client.create_registered_model(self.model, description=_DESCRIPTIONS[self.model]),
        )
        source = f"{run.artifacts}/{_BUNDLE}"
        told |= {_WEIGHTS: bundle.sha256, _WHOLE: whole}
        described = card[:_LONGEST_DESCRIPTION]
        made = self.server.ask(
            lambda client: client.create_model_version(
                self.model, source, run.run_id, told, description=described
            )
        )
        return self.version(f"{_SCHEME}{self.model}/{made.version}")

    def version(self, name: str) -> Version:
        """That of `models:/answerprint@champion` or `models:/answerprint/3`. Raises RegistryError."""
        parsed = _NAMED.fullmatch(name)
        if parsed is None or parsed["model"] != self.model:
            known = f"{_SCHEME}{self.model}@{CHAMPION}, or {_SCHEME}{self.model}/3 for a version"
            why = _KINDS[model_of(name)] if parsed else "names no model here"
            raise RegistryError(f"{name}: {why}; write {known}")
        versions = self.versions()
        for version in versions:
            if parsed["alias"] in version.aliases or str(version.number) == parsed["number"]:
                return version
        how = "`answerprint models` lists them" if versions else "`answerprint retrain` makes the first"
        raise RegistryError(f"{name}: no such version in {self.server.shown}; {how}")

    def versions(self) -> list[Version]:
        """All, the newest first."""
        model = self.server.ask_but(
            "RESOURCE_DOES_NOT_EXIST", lambda client: client.get_registered_model(self.model)
        )
        if model is None:
            return []
        aliases: dict[str, list[str]] = {}
        for alias, number in model.aliases.items():
            aliases.setdefault(str(number), []).append(alias)
        known = self.server.ask(
            lambda client: list(client.search_model_versions(f"name = '{self.model}'", max_results=_MOST))
        )
        versions = [_version(each, aliases.get(str(each.version), []), self.model) for each in known]
        return sorted(versions, key=lambda version: -version.number)

    def champion(self) -> Version | None:
        """None before the first."""
        return next((version for version in self.versions() if CHAMPION in version.aliases), None)

    def fetch(self, version: Version) -> Path:
        """The directory of a version's bundle on this machine, by its digest: fetched once, checked every
        time. Raises RegistryError."""
        if not _SHA256.fullmatch(version.bundle_sha256):
            raise RegistryError(f"{version.name}: has no digest; `answerprint retrain` registers with one")
        folder = home() / "models" / version.bundle_sha256
        if _is(folder, version):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            fetched = Path(place, "fetched")
            fetched.mkdir()
            for name in (CONFIG, WEIGHTS, CARD):
                self.server.download(f"{version.source}/{name}", fetched)
            if not _is(fetched, version):
                raise RegistryError(f"{version.name}: is not what was registered; do not use it")
            try:
                os.rename(fetched, folder)
            except OSError:  # another process was quicker, or something spoilt lies there
                if not _is(folder, version):
                    shutil.rmtree(folder, ignore_errors=True)
                    os.rename(fetched, folder)
        return folder

    def challenge(self, version: Version) -> None:
        """Makes it the challenger."""
        self._alias(CHALLENGER, version)

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Writes at a version what became of it."""
        for key, value in tags.items():
            self.server.ask(
                methodcaller("set_model_version_tag", self.model, str(version.number), key, value)
            )

    def promote(self, version: Version, why: str) -> Version | None:
        """Makes it the champion; returns the one before. The alias moves last and at once: whoever asks gets
        the one or the other. Raises RegistryError where it is the champion already."""
        version, before = self.version(version.name), self.champion()
        if before is not None and before.number == version.number:
            raise RegistryError(f"{version.name}: is the {CHAMPION} already")
        self.tag(version, {"promoted": _now(), "promoted_because": why})
        if _ROLLED_BACK in version.tags:
            number = str(version.number)
            self.server.ask(lambda client: client.delete_model_version_tag(self.model, number, _ROLLED_BACK))
        succession = self._succession(before)
        self._succeed([*succession, before.number] if before else succession)
        self._alias(CHAMPION, version)
        if CHALLENGER in version.aliases:
            self.server.ask(lambda client: client.delete_registered_model_alias(self.model, CHALLENGER))
        return before

    def rollback(self, why: str) -> tuple[Version, Version | None]:
        """Gives the alias back to the champion before, past those that were rolled back themselves; returns
        who lost it and who has it now, None for nobody. Raises RegistryError where there is no champion."""
        champion = self.champion()
        if champion is None:
            raise RegistryError(f"registry {self.server.shown}: no {CHAMPION}, nothing to roll back")
        self.tag(champion, {_ROLLED_BACK: _now(), "rolled_back_because": why})
        known = {version.number: version for version in self.versions()}
        succession = self._succession(champion)
        before: Version | None = None
        while succession and before is None:
            before = known.get(succession.pop())
            if before is not None and _ROLLED_BACK in before.tags:
                before = None
        self._succeed(succession)
        if before is None:
            self.server.ask(lambda client: client.delete_registered_model_alias(self.model, CHAMPION))
        else:
            self._alias(CHAMPION, before)
        return champion, before

    def _succession(self, champion: Version | None) -> list[int]:
        """The champions before this one, the last one last. A promotion that broke off may have put it there
        itself."""
        model = self.server.ask(lambda client: client.get_registered_model(self.model))
        numbers = [int(number) for number in model.tags.get(_SUCCESSION, "").split()]
        return numbers[:-1] if champion and numbers[-1:] == [champion.number] else numbers

    def _succeed(self, numbers: Sequence[int]) -> None:
        told = " ".join(str(number) for number in numbers)
        self.server.ask(lambda client: client.set_registered_model_tag(self.model, _SUCCESSION, told))

    def _alias(self, alias: str, version: Version) -> None:
        self.server.ask(
            lambda client: client.set_registered_model_alias(self.model, alias, str(version.number))
        )


def _version(told: Any, aliases: Sequence[str], model: Model) -> Version:
    made = datetime.fromtimestamp(told.creation_timestamp / 1000, UTC)
    tags = dict(told.tags)
    return Version(
        int(told.version),
        tags.get(_WEIGHTS, ""),
        tags.get(_WHOLE, ""),
        told.run_id or "",
        told.source,
        tags,
        tuple(sorted(aliases)),
        made.isoformat(timespec="seconds"),
        model,
    )


def _is(folder: Path, version: Version) -> bool:
    """Whether a directory holds the version's bundle, byte for byte."""
    try:
        bundle = read_bundle(folder)
        check_weights(bundle)
    except WeightsError:
        return False
    return sha256_of(folder / CONFIG) == version.bundle_sha256


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
