"""Nothing half-written is ever seen in a vault, on this disk or elsewhere, and nothing leads out of it."""

import os
import socket
import subprocess
import sys
import threading

import pytest
from pyarrow import fs

import storage.vault
from storage.errors import StorageError, VaultError
from storage.filesystem import absolute, is_local, open_input, resolve, write_atomically
from storage.vault import Vault

KEY, RECORD = "reels/abc/shots/1234", "shot.json"


@pytest.fixture(params=["local", "remote"])
def vault(request, tmp_path, monkeypatch):
    """A vault on this disk, and one on a filesystem that is not the local one."""
    if request.param == "remote":
        (tmp_path / "bucket").mkdir()
        elsewhere = fs.SubTreeFileSystem(str(tmp_path / "bucket"), fs.LocalFileSystem())
        monkeypatch.setattr(storage.vault, "resolve", lambda uri: (elsewhere, "archive/vault"))
        monkeypatch.setattr(storage.vault.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()
    vault = Vault("s3://archive/vault" if request.param == "remote" else str(tmp_path / "vault"))
    assert vault.is_local == (request.param == "local")
    vault.prepare()
    return vault


def publish(vault, text="whole", key=KEY):
    with vault.publishing(key, RECORD) as folder:
        (folder / "sheets").mkdir()
        (folder / "sheets" / "one.png").write_text(text)
        (folder / "restored.mkv").write_text(text)
        assert not vault.exists(f"{key}/{RECORD}")
        (folder / RECORD).write_text(text)


def leftovers(tmp_path):
    folders = [tmp_path / "vault" / ".staging", tmp_path / "tmp"]
    return [path for folder in folders if folder.exists() for path in folder.iterdir()]


def test_what_is_published_is_there(vault, tmp_path):
    publish(vault)
    assert vault.exists(f"{KEY}/{RECORD}")
    assert vault.read(f"{KEY}/restored.mkv") == vault.read(f"{KEY}/sheets/one.png") == b"whole"
    assert vault.folders("reels/abc/shots") == ["1234"]
    assert vault.files(KEY) == [f"{KEY}/restored.mkv", f"{KEY}/{RECORD}"]
    assert vault.path(f"{KEY}/restored.mkv").read_text() == "whole"
    assert vault.path(f"{KEY}/restored.mkv").read_text() == "whole"
    assert vault.url(KEY).endswith(KEY)
    assert [path for path in leftovers(tmp_path) if path.name != "answerprint-cache"] == []


def test_what_fails_leaves_no_trace(vault, tmp_path):
    def fail():
        with vault.publishing(KEY, RECORD) as folder:
            (folder / "restored.mkv").write_text("half")
            (folder / RECORD).write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not vault.exists(KEY)
    assert vault.folders("reels/abc/shots") == []
    assert leftovers(tmp_path) == []


def test_nothing_is_seen_before_the_record(vault, monkeypatch):
    """Whatever is there at any moment, what has its record is whole."""
    seen = []
    honest = fs.copy_files

    def watched(source, target, *filesystems):
        seen.append((target.rpartition("/")[2], vault.exists(f"{KEY}/{RECORD}")))
        honest(source, target, *filesystems)

    monkeypatch.setattr(storage.vault.fs, "copy_files", watched)
    publish(vault)
    assert not any(had_record for _, had_record in seen)
    assert [name for name, _ in seen][-1:] == ([] if vault.is_local else [RECORD])


def test_an_upload_that_breaks_off_has_no_record(vault, monkeypatch):
    if vault.is_local:
        pytest.skip("a rename cannot break off")

    def broken(source, target, *filesystems):
        if target.endswith("restored.mkv"):
            raise OSError("connection lost")
        honest(source, target, *filesystems)

    honest = fs.copy_files
    monkeypatch.setattr(storage.vault.fs, "copy_files", broken)
    with pytest.raises(VaultError, match="connection lost"):
        publish(vault)
    assert not vault.exists(f"{KEY}/{RECORD}")
    monkeypatch.setattr(storage.vault.fs, "copy_files", honest)
    publish(vault)
    assert vault.read(f"{KEY}/{RECORD}") == b"whole"


def test_who_comes_second_changes_nothing(tmp_path):
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    gate, first_is_in = threading.Barrier(2), []

    def late():
        with vault.publishing(KEY, RECORD) as folder:
            (folder / RECORD).write_text("second")
            gate.wait()
            first_is_in.append(vault.exists(f"{KEY}/{RECORD}"))

    thread = threading.Thread(target=late)
    thread.start()
    with vault.publishing(KEY, RECORD) as folder:
        (folder / RECORD).write_text("first")
    gate.wait()
    thread.join()
    assert first_is_in == [True]
    assert vault.read(f"{KEY}/{RECORD}") == b"first"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"restored.mkv": "half"}, id="half a copy"),
        pytest.param({"restored.mkv": "old", "sheets/one.png": "old", "notes": "x"}, id="its record deleted"),
        pytest.param({}, id="empty"),
    ],
)
def test_what_has_no_record_makes_way(there, tmp_path):
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    (tmp_path / "vault" / KEY).mkdir(parents=True)
    for name, text in there.items():
        path = tmp_path / "vault" / KEY / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    publish(vault)
    assert vault.read(f"{KEY}/{RECORD}") == vault.read(f"{KEY}/restored.mkv") == b"whole"
    assert vault.files(KEY) == [f"{KEY}/restored.mkv", f"{KEY}/{RECORD}"]
    assert leftovers(tmp_path) == []


def test_trouble_in_the_block_is_not_the_vaults(vault):
    def fail():
        with vault.publishing(KEY, RECORD):
            raise OSError(5, "the source's disk")

    with pytest.raises(OSError, match="the source's disk"):
        fail()


def test_trouble_of_the_vault_is_told_as_such(tmp_path, monkeypatch):
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(VaultError, match="No space left"):
        publish(vault)
    (tmp_path / "vault" / "reels").write_text("a file")
    with pytest.raises(VaultError, match="cannot be written"):
        vault.write("reels/abc/reel.json", b"{}")


def test_every_folder_is_made_safe(tmp_path, monkeypatch):
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    safe, honest = [], os.fsync

    def watched(handle):
        safe.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))
        honest(handle)

    monkeypatch.setattr(os, "fsync", watched)
    publish(vault)
    assert safe.index("one.png") < safe.index("shots")
    assert {"sheets", "restored.mkv", RECORD} < set(safe[: safe.index("shots")])
    safe.clear()
    vault.write("review.json", b"[]")
    assert safe[-1] == "vault"


def test_two_threads_write_one_file(tmp_path, monkeypatch):
    """Each to a name of its own: by the process alone, one renames the other's file away."""
    gate, honest = threading.Barrier(2, timeout=10), os.replace

    def together(source, target):
        gate.wait()
        honest(source, target)

    monkeypatch.setattr(os, "replace", together)
    failures = []

    def write(data):
        try:
            write_atomically(tmp_path / "reel.json", data)
        except VaultError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(data,)) for data in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (tmp_path / "reel.json").read_bytes() in (b"one", b"two")


def _full(*_):
    raise OSError(28, "No space left on device")


def test_single_files_are_written_whole(vault):
    vault.write("review.json", b"[]")
    vault.write("review.json", b"[1]")
    assert vault.read("review.json") == b"[1]"
    vault.write("reels/new/reel.json", b"{}")
    assert vault.read("reels/new/reel.json") == b"{}"


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "reel.json"
    write_atomically(path, b"old")

    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(VaultError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "key", ["../x", "reels/../../x", "/etc/passwd", "", "reels//x", "reels/./x", "reels/x/"]
)
def test_a_key_that_leads_elsewhere_is_refused(vault, key):
    for use in (
        vault.exists,
        vault.read,
        vault.folders,
        vault.files,
        vault.path,
        vault.url,
        lambda key: vault.write(key, b""),
        lambda key: vault.publishing(key, RECORD).__enter__(),
    ):
        with pytest.raises(VaultError):
            use(key)


def test_what_is_missing_is_told(vault):
    with pytest.raises(VaultError, match="cannot be read"):
        vault.read("reels/none/reel.json")
    with pytest.raises(VaultError):
        vault.path("reels/none/reel.json")
    assert vault.folders("reels/none") == vault.files("reels/none") == []


def test_prepare_sweeps_what_dead_processes_left(tmp_path):
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    staging = tmp_path / "vault" / ".staging"
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    host, gone = socket.gethostname(), int(dead.stdout)
    kept = [f"{host}-{os.getpid()}-{'a' * 32}", f"another-host-{gone}-{'b' * 32}", "notes"]
    for name in (*kept, f"{host}-{gone}-{'c' * 32}"):
        (staging / name).mkdir()
    vault.prepare()
    assert sorted(path.name for path in staging.iterdir()) == sorted(kept)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("s3://me:hush@shelf/v", id="a key"),
        pytest.param("s3://me:hu/hush@shelf/v", id="its secret has a slash"),
        pytest.param("gs://me:hush@shelf/v", id="elsewhere"),
        pytest.param("S3://me:hush@shelf/v", id="a scheme that is not ours"),
        pytest.param("https://me:hush@shelf/v", id="the web"),
    ],
)
def test_a_key_is_refused_and_not_said_again(uri):
    with pytest.raises(StorageError, match=r"named with a key|is not a place") as error:
        resolve(uri)
    assert "hush" not in str(error.value)
    assert "shelf/v: " in str(error.value)


@pytest.mark.parametrize("uri", ["http://example.org/vault", "hdfs://host/vault", "s4://bucket"])
def test_a_scheme_that_is_not_ours_is_refused(uri):
    with pytest.raises(StorageError, match="is not a place Answerprint reads or writes"):
        resolve(uri)
    assert not is_local(uri)


@pytest.mark.parametrize(
    "form",
    ["{path}", "file://{quoted}", "file:{quoted}", "file://{path}", "file:{path}", "file://localhost{path}"],
)
def test_a_local_place_may_be_written_as_a_path_or_uri(form, tmp_path):
    path = tmp_path / "a film.mkv"
    path.write_bytes(b"film")
    uri = form.format(path=path, quoted=str(path).replace(" ", "%20"))
    assert is_local(uri)
    assert absolute(uri) == str(path)
    with open_input(uri) as file:
        assert file.read() == b"film"


def test_a_file_of_another_machine_is_refused():
    with pytest.raises(StorageError, match="another machine"):
        resolve("file://server/share/film.mkv")


def test_a_vault_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(VaultError, match="cannot be written"):
        Vault(str(tmp_path / "file" / "vault")).prepare()
