"""A spoilt copy of the specimen's tree: files replaced, and what vouches for their bytes put right again.

A forger who can write the tree can also write every digest that is a plain function of bytes. ``reseal`` does
that: universe hash, routing policy, run reports, bundle members, index and flag are made to agree with what
lies on disk. What then still gives the fault away is the law it breaks.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq

from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import own_id
from seg3b_assets.laws.hashing import canonical_json, file_digest, indented_json, path_digest, sha256_hex
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.store.outputs import folder_digest

BUNDLE = "validation_bundle_3B"
FLAG = "passed_flag_3B"
UNIVERSE = "edge_universe_hash_3B"
ROUTING = "virtual_routing_policy_3B"
CONTRACT = "virtual_validation_contract_3B"
RUN_SUMMARY = "s4_run_summary_3B"
CARRIED = ("s0_gate_receipt_3B", "sealed_inputs_3B", RUN_SUMMARY)
# What the bundle's manifest lists: everything S0 to S4 publish.
EVIDENCE = audited_datasets()
# Hashes inside documents that the bundle repeats.
_REPEATED = {
    UNIVERSE: ("universe_hash", "edge_alias_index_digest", "edge_catalogue_index_digest"),
    ROUTING: ("edge_universe_hash",),
}
_REPORTS = tuple(f"s{number}_run_report_3B" for number in range(1, 5))
_LAST_REPORT = "s5_run_report_3B"
_COMPONENTS = {"edge_alias_index": "edge_alias_index_3B", "edge_catalogue_index": "edge_catalogue_index_3B"}


@dataclass
class Tree:
    """A tree that may be spoilt.

    Attributes:
        root: its folder.
        touched: what was spoilt on purpose; ``reseal`` leaves that alone.
    """

    root: Path
    touched: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before = self._digests()

    @cached_property
    def identity(self) -> RunIdentity:
        """Who the tree says it is, before anybody spoilt it."""
        receipt = orjson.loads((self.root / "run_receipt.json").read_bytes())
        names = ("seed", "parameter_hash", "manifest_fingerprint", "created_utc", "sealed_inputs_digest")
        return RunIdentity(**{name: receipt[name] for name in names})

    def path(self, dataset_id: str) -> Path:
        """The dataset's file, or its folder."""
        return self.root / contract(dataset_id).relative_path(self.identity).rstrip("/")

    def file(self, dataset_id: str) -> Path:
        """The dataset's file; the first part of one in parts."""
        path = self.path(dataset_id)
        return path / "part-00000.parquet" if contract(dataset_id).format == "parquet_parts" else path

    def member(self, name: str) -> Path:
        """A file of the bundle."""
        return self.path(BUNDLE) / name

    def replace(self, path: Path, data: bytes) -> None:
        """New bytes for a file; the specimen's own, which the copy shares by link, stay as they are."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def unshare(self) -> None:
        """Give this copy files of its own, in place of links to the specimen's."""
        for path in [each for each in self.root.rglob("*") if each.is_file() and not each.is_symlink()]:
            self.replace(path, path.read_bytes())

    def data(self, dataset_id: str, change: Callable[[bytes], bytes]) -> None:
        """Change the bytes of the dataset's file."""
        self.touched.add(dataset_id)
        path = self.file(dataset_id)
        self.replace(path, change(path.read_bytes()))

    def table(self, dataset_id: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Change the rows of a table, part by part: the change sees the first part that it alters."""
        self.touched.add(dataset_id)
        path = self.file(dataset_id)
        changed = change(pl.read_parquet(path.read_bytes()))
        path.unlink()
        changed.write_parquet(path, compression="zstd", compression_level=3, row_group_size=100_000)

    def document(self, dataset_id: str, change: Callable[[Any], Any]) -> None:
        """Change a JSON document, in place or by returning another; its written form stays."""
        self.touched.add(dataset_id)
        self._rewrite(dataset_id, change)

    def lines(self, dataset_id: str, change: Callable[[list[bytes]], None]) -> None:
        """Change the lines of a log in place; each is without its newline."""

        def rewrite(data: bytes) -> bytes:
            lines = data.splitlines()
            change(lines)
            return b"".join(line + b"\n" for line in lines)

        self.data(dataset_id, rewrite)

    def event(self, dataset_id: str, line: int, **fields: Any) -> None:
        """Make one line of a log say other things."""

        def change(lines: list[bytes]) -> None:
            lines[line] = canonical_json(orjson.loads(lines[line]) | fields)

        self.lines(dataset_id, change)

    def bundle_member(self, name: str, change: Callable[[Any], Any]) -> None:
        """Change one document of the bundle."""
        self.touched.add(name)
        path = self.member(name)
        value = orjson.loads(path.read_bytes())
        changed = change(value)
        self.replace(path, canonical_json(value if changed is None else changed))

    def reseal(self) -> None:
        """Make every digest of bytes agree with the bytes, except in what was spoilt on purpose."""
        self._reseal_universe()
        for report in _REPORTS:
            self._reseal_report(report)
        self._reseal_bundle()
        self._reseal_report(_LAST_REPORT)
        self._reseal_receipt()

    def _rewrite(self, dataset_id: str, change: Callable[[Any], Any]) -> None:
        path = self.path(dataset_id)
        value = orjson.loads(path.read_bytes())
        changed = change(value)
        written = indented_json if contract(dataset_id).format == "json_indented" else canonical_json
        self.replace(path, written(value if changed is None else changed))

    def _put_right(self, dataset_id: str, change: Callable[[Any], Any]) -> None:
        if dataset_id in self.touched:
            return
        self._rewrite(dataset_id, change)

    def _reseal_universe(self) -> None:
        digests = {
            f"{name}_digest": file_digest(self.path(dataset_id))
            for name, dataset_id in _COMPONENTS.items()
            if self.path(dataset_id).is_file()
        }

        def rebound(universe: dict[str, Any]) -> dict[str, Any]:
            universe |= digests
            names = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
            raw = b"".join(bytes.fromhex(universe[f"{name}_digest"]) for name in names)
            return universe | {"universe_hash": sha256_hex(raw)}

        self._put_right(UNIVERSE, rebound)
        try:
            universe = orjson.loads(self.path(UNIVERSE).read_bytes())["universe_hash"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._put_right(ROUTING, lambda routing: routing | {"edge_universe_hash": universe})

    def _reseal_report(self, report: str) -> None:
        """Digests, sizes and rows of the outputs a run report lists, as they are on disk."""

        def rebound(document: dict[str, Any]) -> None:
            for row in document["outputs"]:
                row.update(self._on_disk(own_id(row["logical_id"])))

        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self._put_right(report, rebound)

    def _on_disk(self, dataset_id: str) -> dict[str, Any]:
        path = self.path(dataset_id)
        if not path.exists():
            return {}
        if dataset_id == BUNDLE:
            members = [one for one in sorted(path.iterdir()) if one.is_file() and one.name != "_passed.flag"]
            size = sum(one.stat().st_size for one in members)
            return {"sha256_hex": folder_digest(path, [one.name for one in members]), "size_bytes": size}
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        told = {"sha256_hex": path_digest(path), "size_bytes": sum(one.stat().st_size for one in files)}
        declared = contract(dataset_id)
        if declared.format == "jsonl":
            return told | {"rows": path.read_bytes().count(b"\n")}
        if not declared.is_table:
            return told
        try:
            return told | {"rows": sum(pq.read_metadata(one).num_rows for one in files)}
        except (OSError, ValueError):
            return told

    def _digests(self) -> dict[str, str]:
        """What the bundle says of each dataset's bytes, and the hashes it repeats, as they are on disk."""
        found = {}
        for dataset_id in EVIDENCE:
            path = self.path(dataset_id)
            if path.exists():
                found[dataset_id] = path_digest(path)
        for dataset_id, keys in _REPEATED.items():
            try:
                document = orjson.loads(self.path(dataset_id).read_bytes())
                found |= {f"{dataset_id}.{key}": str(document[key]) for key in keys}
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def _reseal_bundle(self) -> None:
        for dataset_id in CARRIED:
            name, path = f"{dataset_id}.json", self.path(dataset_id)
            if name not in self.touched and path.is_file():
                self.replace(self.member(name), path.read_bytes())
        now = self._digests()
        changed = {
            self._before[name].encode(): digest.encode()
            for name, digest in now.items()
            if self._before.get(name, digest) != digest
        }
        for path in sorted(self.path(BUNDLE).glob("s5_*.json")):
            data = path.read_bytes()
            for old, new in changed.items():
                data = data.replace(old, new)
            if path.name not in self.touched and data != path.read_bytes():
                self.replace(path, data)
        self._reseal_lanes()
        self._reseal_index()

    def _reseal_lanes(self) -> None:
        """Sizes of the logs in the bundle's member about them."""
        if "s5_audit_3B.json" in self.touched:
            return

        def rebound(audit: dict[str, Any]) -> None:
            for logical_id, told in audit["logs"].items():
                path = self.path(own_id(logical_id))
                if path.is_file():
                    told["lane_bytes"] = path.stat().st_size

        self.bundle_member("s5_audit_3B.json", rebound)
        self.touched.discard("s5_audit_3B.json")

    def _reseal_receipt(self) -> None:
        """The export's list of files as they lie there."""
        path = self.root / "run_receipt.json"
        if "run_receipt.json" in self.touched:
            return
        receipt = orjson.loads(path.read_bytes())
        files = sorted(
            each.relative_to(self.root).as_posix()
            for each in self.root.rglob("*")
            if each.is_file() and not each.is_symlink() and each != path
        )
        receipt["files"] = [
            {
                "path": name,
                "sha256_hex": file_digest(self.root / name),
                "size_bytes": (self.root / name).stat().st_size,
            }
            for name in files
        ]
        self.replace(path, canonical_json(receipt))

    def _reseal_index(self) -> None:
        def rebound(index: dict[str, Any]) -> None:
            if self.member("s5_manifest_3B.json").is_file():
                index["s5_manifest_digest"] = file_digest(self.member("s5_manifest_3B.json"))
            for row in index["members"]:
                if not self.member(row["path"]).is_file():
                    continue
                data = self.member(row["path"]).read_bytes()
                row |= {"sha256_hex": sha256_hex(data), "size_bytes": len(data)}

        if "index.json" not in self.touched:
            self.bundle_member("index.json", rebound)
            self.touched.discard("index.json")
        if FLAG not in self.touched:
            self.replace(self.path(FLAG), flag_of(self.path(BUNDLE)))


def flag_of(bundle: Path) -> bytes:
    """The flag over a bundle as it lies on disk."""
    digest = hashlib.sha256()
    for path in sorted(bundle.iterdir(), key=lambda each: each.name.encode()):
        if path.is_file() and path.name not in ("index.json", "_passed.flag"):
            digest.update(path.read_bytes())
    return f"sha256_hex = {digest.hexdigest()}\n".encode("ascii")
