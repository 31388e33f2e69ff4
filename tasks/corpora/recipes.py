"""From what a person names to a recipe, one of ours or a JSON file of theirs, and back to JSON."""

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from degradation.recipe import AnyFamily, Recipe
from degradation.recipes import RECIPES
from storage.filesystem import first_line
from tasks.request import RequestError

_FAMILIES: dict[str, Any] = {kind.family: kind for kind in get_args(AnyFamily)}
_RECIPE = TypeAdapter(Recipe)


def find_recipe(named: str) -> Recipe:
    """Raises RequestError: no such recipe, or a file that is none, its field named."""
    if named in RECIPES:
        return recipe_from(recipe_facts(RECIPES[named]))  # 12 and 12.0 are one number with two digests
    path = Path(named).expanduser()
    if path.suffix != ".json":
        raise RequestError(f"recipe {named}: no such recipe; choose {', '.join(RECIPES)} or a .json file")
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RequestError(f"recipe {named}: cannot be read ({first_line(error)})") from error
    try:
        return recipe_from(data)
    except ValueError as error:
        raise RequestError(f"recipe {named}: {error}") from error


def recipe_from(data: Any) -> Recipe:
    """The recipe that `asdict` made this of; what is left out has its default.

    Raises ValueError that begins with the field that is wrong.
    """
    _known(data, Recipe, "")
    families = data.get("families", [])
    if not isinstance(families, list | tuple):
        raise ValueError("families: a list was expected")
    kinds = []
    for n, family in enumerate(families):
        kind = _FAMILIES.get(family.get("family", "")) if isinstance(family, dict) else None
        if kind is None:
            raise ValueError(f"families.{n}.family: choose {', '.join(_FAMILIES)}")
        _known(family, kind, f"families.{n}.")
        kinds.append(_valid(TypeAdapter(kind), family, f"families.{n}."))
    recipe: Recipe = _valid(_RECIPE, {**data, "families": kinds}, "")
    return recipe


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """What `recipe_from` reads."""
    facts: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return facts


def recipe_sha256(recipe: Recipe) -> str:
    """Of its facts as JSON in canonical form."""
    text = json.dumps(recipe_facts(recipe), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _known(data: Any, kind: Any, where: str) -> None:
    if not isinstance(data, dict):
        raise ValueError(f"{where or 'recipe'}: an object was expected")
    names = {field.name for field in fields(kind)}
    for name in data:
        if name not in names:
            raise ValueError(f"{where}{name}: no such field; there are {', '.join(sorted(names))}")


def _valid(adapter: TypeAdapter[Any], data: Any, where: str) -> Any:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = where + ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place.rstrip('.') or 'recipe'}: {told}") from error
