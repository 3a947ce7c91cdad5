"""What every back end promises, asked of each; and that nobody else knows which one it is."""

from __future__ import annotations

import ast
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

import seg3b_assets
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.store.backend import Backend, open_home
from seg3b_assets.store.layout import Reached, Unreached
from seg3b_assets_tests.store.back_ends import BackEnd, everything, home_of, lose, spoil

KEY, OTHER = "ab" * 32, "cd" * 32
PLACE = f"snapshots/S2/{KEY}"
FILES = {"data/a": b"first", "b": b"second"}
SIZES = {name: len(content) for name, content in FILES.items()}
MANIFEST = b'{"files":["b","data/a"]}'
PRODUCT = Path(seg3b_assets.__file__).parent
ROOM = {f"store/{name}.py" for name in ("backend", "local_folder", "object_store", "remote", "holding")}
ROOM.add("store/destinations.py")  # an export's back ends
# Where what a person wrote is understood: a place, a home, a destination.
READERS = {"locations.py", "settings.py", "cli/doctor.py", "cli/export.py", "store/destinations.py"}
KINDS = {"LocalFolder", "ObjectStore", "Remote", "FolderDestination", "UrlDestination"}


@pytest.fixture
def backend(back_end: BackEnd, tmp_path: Path) -> Backend:
    return open_home(home_of(back_end, tmp_path))


def put(backend: Backend, place: str = PLACE, manifest: bytes = MANIFEST) -> bytes:
    """Publish a folder as the store does: whole in the home's folder first."""
    folder = backend.folder / place
    for name, content in {**FILES, "snapshot.json": manifest}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return backend.publish_folder(place, "snapshot.json", list(FILES))


def test_a_document_that_is_not_there_is_said_to_be_so(backend: Backend) -> None:
    with pytest.raises(FileNotFoundError):
        backend.read("refs/candidate.json")
    assert backend.paths("refs") == []


def test_a_document_is_changed_from_what_it_was_or_left(backend: Backend) -> None:
    seen: list[bytes | None] = []

    def grown(current: bytes | None) -> bytes:
        seen.append(current)
        return (current or b"") + b"x"

    assert backend.update("refs/a.json", "refs", grown)
    assert backend.update("refs/a.json", "refs", grown)
    assert not backend.update("refs/a.json", "refs", lambda current: None)
    assert not backend.update("refs/a.json", "refs", lambda current: current)
    assert (seen, backend.read("refs/a.json")) == ([None, b"x"], b"xx")
    assert backend.paths("refs") == ["a.json"]


def test_a_change_that_fails_changes_nothing(backend: Backend) -> None:
    backend.update("refs/a.json", "refs", lambda _: b"x")

    def failing(current: bytes | None) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backend.update("refs/a.json", "refs", failing)
    assert backend.read("refs/a.json") == b"x"


def test_no_change_of_several_writers_is_lost(back_end: BackEnd, tmp_path: Path) -> None:
    home = home_of(back_end, tmp_path)

    def add(number: int) -> None:
        open_home(home).update(
            "refs/a.json", "refs", lambda old: orjson.dumps([*orjson.loads(old or b"[]"), number])
        )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(24)))
    assert sorted(orjson.loads(open_home(home).read("refs/a.json"))) == list(range(24))


def test_documents_are_listed_by_name_and_by_age(backend: Backend) -> None:
    for number, name in enumerate(("b", "c", "a")):
        backend.update(f"runs/{name}/run.json", "a", lambda _: b"{}")
        path = backend.folder / "runs" / name / "run.json"
        if path.exists():
            os.utime(path, ns=(number, number))
    assert backend.paths("runs") == ["a/run.json", "b/run.json", "c/run.json"]
    assert backend.paths_by_age("runs") == ["b/run.json", "c/run.json", "a/run.json"]


def test_a_published_folder_has_its_manifest_and_its_files(backend: Backend) -> None:
    assert backend.manifest(PLACE, "snapshot.json") is None
    assert put(backend) == MANIFEST
    assert backend.manifest(PLACE, "snapshot.json") == MANIFEST
    assert backend.holds(PLACE, MANIFEST, SIZES)
    assert backend.holds(PLACE, MANIFEST, dict.fromkeys(SIZES))
    assert not backend.holds(PLACE, MANIFEST, {**SIZES, "b": 5})
    assert not backend.holds(PLACE, MANIFEST, {**SIZES, "c": None})
    assert backend.still_published(PLACE, "snapshot.json")
    assert put(backend) == MANIFEST


def test_a_folder_that_lost_a_file_does_not_hold_it(backend: Backend) -> None:
    put(backend)
    lose(backend, next(path for path in everything(backend) if path.endswith("data/a")))
    assert not backend.holds(PLACE, MANIFEST, SIZES)


def test_what_is_fetched_is_whole_and_looked_at_first(backend: Backend) -> None:
    put(backend)
    asked: list[Path] = []
    for name in ("b", "data/a"):  # what is in a mirror is a cache, and may be short of anything
        if backend.near(PLACE) is None:
            (backend.folder / PLACE / name).unlink()
        backend.fetch(PLACE, "snapshot.json", MANIFEST, SIZES, asked.append)
        found = {one: (backend.folder / PLACE / one).read_bytes() for one in FILES}
        assert found == FILES
    assert len(asked) == (2 if backend.near(PLACE) is None else 0)


def test_a_mirrored_file_that_was_cut_short_is_fetched_again(tmp_path: Path) -> None:
    backend = open_home(home_of("objects", tmp_path))
    put(backend)
    (backend.folder / PLACE / "b").write_bytes(b"se")
    backend.fetch(PLACE, "snapshot.json", MANIFEST, SIZES, lambda folder: None)
    assert (backend.folder / PLACE / "b").read_bytes() == FILES["b"]


def test_holders_are_named_to_whoever_wants_the_home_alone(backend: Backend) -> None:
    with backend.held("a run of seed 42"), backend.held("a certification"):
        assert {one.purpose for one in backend.holders()} == {"a run of seed 42", "a certification"}
        with pytest.raises(Seg3BError) as refused, backend.alone("a prune"):
            pass
    assert (refused.value.code, refused.value.validator) == ("E3B_S5_OUTPUT_WRITE_FAILED", "home_unused")
    assert f"a run of seed 42 (process {os.getpid()} on " in refused.value.remedy
    assert refused.value.place in (str(backend.folder), backend.place(""))
    assert backend.holders() == []


def test_who_holds_it_alone_is_named_to_whoever_gives_up(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEG3B_LOCK_WAIT_S", "0.05")
    with backend.alone("a prune"):
        for other in (backend.held("a run"), backend.alone("another prune")):
            with pytest.raises(Seg3BError, match=r"Wait for a prune \(process"), other:
                pass
    with backend.alone("a prune"), pytest.raises(ZeroDivisionError):
        raise ZeroDivisionError
    with backend.held("a run"):
        assert [one.purpose for one in backend.holders()] == ["a run"]


def test_what_nothing_reaches_is_listed_removed_and_recorded(backend: Backend) -> None:
    put(backend)
    put(backend, f"snapshots/S2/{OTHER}")
    spoil(backend, f"policies/{KEY}.yaml", b"a: 1")
    found = Reached(snapshots={("S2", OTHER)})
    with backend.alone("a prune"):
        listed = backend.unreached(found, lambda lineage: {})
        assert [(one.kind, one.place) for one in listed] == [
            ("policy", f"policies/{KEY}.yaml"),
            ("snapshot", PLACE),
        ]
        backend.remove(listed, {"prune_id": "20260101T000000Z-0123abcd", "removed": [], "interrupted": False})
    assert backend.manifest(PLACE, "snapshot.json") is None
    assert not (backend.folder / PLACE).exists()
    assert backend.manifest(f"snapshots/S2/{OTHER}", "snapshot.json") == MANIFEST
    assert backend.unreached(found, lambda lineage: {}) == []
    record = orjson.loads(backend.read("prunes/20260101T000000Z-0123abcd.json"))
    assert record["interrupted"] is False
    assert backend.paths("trash") == []


def test_a_run_that_goes_is_told_of(backend: Backend) -> None:
    spoil(backend, f"runs/{KEY}/run.json", b"{}")
    [one] = backend.unreached(Reached(), lambda lineage: {"lineage_id": lineage})
    assert one == Unreached("run", f"runs/{KEY}", 2, {"lineage_id": KEY})


def test_a_home_can_be_looked_at(backend: Backend) -> None:
    with backend.held("a run"):
        assert "HOME" in {one.code for one in backend.access()}
        assert [one.found.startswith("by a run (process") for one in backend.holding()] == [True]
        assert list(backend.left_lying()) == []


def test_a_home_travels_to_another_process_as_its_place(backend: Backend) -> None:
    put(backend)
    there: Backend = pickle.loads(pickle.dumps(backend))
    assert (there.folder, there.place("")) == (backend.folder, backend.place(""))
    assert there.manifest(PLACE, "snapshot.json") == MANIFEST


def _knows_which(source: str) -> Iterator[str]:
    """Where a module outside the back ends tells one from another, or reaches past them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.name for alias in node.names]
            rooms = {"seg3b_assets.store.remote", "seg3b_assets.store.object_store"}
            yield from (name for name in names if node.module in rooms or name in KINDS)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.endswith((".remote", ".object_store")))
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in KINDS or "remote" in name.lower() or name in {"leased", "lease_holders"}:
                yield name


def _reads_urls(source: str) -> bool:
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    return bool(names & {"is_url", "scheme_of"})


# Sales and bets are remote there, and no home is known.
OF_ANOTHER_MEANING = "realism/reference_tier/"
MODULES = sorted(
    name
    for name in (path.relative_to(PRODUCT).as_posix() for path in PRODUCT.rglob("*.py"))
    if not name.startswith((OF_ANOTHER_MEANING, "realism/yardsticks/"))
)


def test_only_the_back_ends_know_which_one_a_home_has() -> None:
    found = {name: list(_knows_which((PRODUCT / name).read_text("utf-8"))) for name in MODULES}
    assert {name: knows for name, knows in found.items() if knows and name not in ROOM} == {}
    assert found["store/object_store.py"], "what is looked for is found where it is"


def test_a_url_is_told_from_a_path_only_where_a_person_wrote_it() -> None:
    assert {name for name in MODULES if _reads_urls((PRODUCT / name).read_text("utf-8"))} <= {
        *READERS,
        "store/backend.py",
    }


@pytest.mark.parametrize(
    "source",
    [
        "from seg3b_assets.store.remote import Remote",
        "from seg3b_assets.store import object_store\nisinstance(x, object_store.ObjectStore)",
        "import seg3b_assets.store.remote",
        "def f(store):\n    if store.backend.remote is not None:\n        pass",
        "remote_of(home)",
    ],
)
def test_a_branch_on_where_a_home_lies_would_be_found(source: str) -> None:
    assert list(_knows_which(source))
