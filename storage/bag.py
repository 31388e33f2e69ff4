"""A delivery as a BagIt bag (RFC 8493): written, and checked.

It is written here rather than by the `bagit` library, which moves the payload and changes the process's
working directory while it works; the library stands in the tests as the other opinion.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from storage.errors import StorageError, VaultError
from storage.filesystem import write_atomically
from storage.fixity import record_lines, sha256_file

_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_MANIFEST = "manifest-sha256.txt"
_TAG_MANIFEST = "tagmanifest-sha256.txt"
_MANIFEST_ROW = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*", re.ASCII)


def write_bag(root: Path, info: Mapping[str, str]) -> None:
    """Makes a bag of a directory whose payload already lies in root/data. The payload is read, never moved.

    info: lines of bag-info.txt; Payload-Oxum is added. The same payload and info give the same bytes; the tag
    manifest is written last, so a bag without one is unfinished. Raises VaultError where there is no payload,
    where it holds links or names that a manifest cannot carry, or where a line of info would break the file.
    """
    payload = list(_files(root / "data", root))
    if not payload or (root / "data").is_symlink():
        raise VaultError(f"{root}: no payload: put the delivery into {root / 'data'} first")
    for path in payload:
        if path.is_symlink():
            raise VaultError(f"{path}: a link cannot be delivered: put the file itself there")
        if any(mark in str(path.relative_to(root)) for mark in "\r\n\\") or not _is_utf8(path):
            raise VaultError(f"{path}: its name cannot stand in a manifest: rename it")
    for label, value in info.items():
        if not _LABEL.fullmatch(label) or "\n" in value or "\r" in value:
            raise VaultError(f"{root}: {label!r} is no bag-info label with one line of text")

    oxum = f"{sum(path.stat().st_size for path in payload)}.{len(payload)}"
    lines = sorted(({**info, "Payload-Oxum": oxum}).items())
    tags = {
        _MANIFEST: _manifest(root, payload),
        "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in lines),
        "bagit.txt": _DECLARATION,
    }
    (root / _TAG_MANIFEST).unlink(missing_ok=True)
    for name, text in tags.items():
        write_atomically(root / name, text.encode())
    write_atomically(root / _TAG_MANIFEST, _manifest(root, [root / name for name in sorted(tags)]).encode())


def check_bag(root: Path) -> list[str]:
    """What is wrong with a bag, one line each: missing, extra, changed, unsafe, unlisted or malformed.

    An empty list says that all is well. Every file is read; nothing outside of `root` is.
    """
    problems: list[str] = []
    if not (root / "bagit.txt").is_file():
        return [f"missing: bagit.txt: {root} is no bag"]
    with (root / "bagit.txt").open("rb") as file:
        declared = file.read(1024).decode(errors="replace").split()
    # Many libraries still write 0.97, the last draft: the same bag but for how names are encoded.
    if declared not in (_DECLARATION.split(), _DECLARATION.replace("1.0", "0.97").split()):
        problems.append("malformed: bagit.txt does not declare BagIt 1.0 in UTF-8")
    if (root / "fetch.txt").exists():
        problems.append("unsafe: fetch.txt: a delivery must hold its payload itself")
    listed = _check_manifest(root, _MANIFEST, problems)
    listed_tags = _check_manifest(root, _TAG_MANIFEST, problems)
    for name in ("bagit.txt", "bag-info.txt", _MANIFEST):
        if name not in listed_tags:
            problems.append(f"unlisted: {name} is not in {_TAG_MANIFEST}")
    for path in _files(root / "data", root):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            problems.append(f"unsafe: {name} is a link")
        elif name not in listed:
            problems.append(f"extra: {name}")
    return problems


def _check_manifest(root: Path, manifest: str, problems: list[str]) -> set[str]:
    """Adds what is wrong; returns the names listed."""
    listed: set[str] = set()
    if not (root / manifest).is_file():
        problems.append(f"missing: {manifest}")
        return listed
    try:
        lines = record_lines(root / manifest)
    except StorageError as error:
        problems.append(f"malformed: {error}")
        return listed
    for number, line in enumerate(lines, 1):
        match = _MANIFEST_ROW.fullmatch(line)
        name = _decoded(match[2]) if match else ""
        if match is None or name in listed:
            problems.append(f"malformed: {manifest} line {number}")
        elif not _is_safe(name, in_data=manifest == _MANIFEST):
            problems.append(f"unsafe: {manifest} line {number}: {name!r} leads out of the bag")
        else:
            listed.add(name)
            path = root / name
            if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
                problems.append(f"unsafe: {name} is a link out of the bag")
            elif not os.path.isfile(path):
                problems.append(f"missing: {name}")
            elif sha256_file(path) != match[1].lower():
                problems.append(f"changed: {name}")
    return listed


def _manifest(root: Path, paths: Iterable[Path]) -> str:
    rows = ((path.relative_to(root).as_posix(), sha256_file(path)) for path in paths)
    return "".join(f"{digest}  {name.replace('%', '%25')}\n" for name, digest in rows)


def _files(folder: Path, root: Path) -> Iterator[Path]:
    """Everything below that is no folder, links included, in one order on every machine."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return iter(sorted(found, key=lambda path: os.fsencode(path.relative_to(root))))


def _is_safe(name: str, in_data: bool) -> bool:
    parts = name.split("/")
    is_plain = not any(part in ("", ".", "..") for part in parts) and "\\" not in name and "\0" not in name
    starts_well = not name.startswith("~") and not re.match(r"[A-Za-z]:", name)
    return is_plain and starts_well and (parts[0] == "data" and len(parts) > 1) == in_data


def _decoded(name: str) -> str:
    """RFC 8493 2.1.3: only line ends and the percent sign are encoded."""
    return re.sub(r"%(0[aA]|0[dD]|25)", lambda m: chr(int(m[1], 16)), name)


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
