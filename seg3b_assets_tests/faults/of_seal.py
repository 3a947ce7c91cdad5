"""Faults of S0's outputs: the seal and the gate receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import by_own_id
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.states.s0_gate.upstream import read_receipt
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited, forged
from seg3b_assets_tests.faults.forgery import Forgery

SEAL = "sealed_inputs_3B"
RECEIPT = "s0_gate_receipt_3B"
FINDINGS = "input_findings_3B"


def seal_faults() -> Iterator[Fault]:
    """Seal and receipt."""
    yield from _seal()
    yield from _receipt()
    yield from _findings()


def _seal() -> Iterator[Fault]:
    def rows(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Tree], None]:
        return lambda tree: tree.document(SEAL, change)

    def policy(field: str, value: str) -> Callable[[list[dict[str, Any]]], None]:
        def change(listed: list[dict[str, Any]]) -> None:
            next(row for row in listed if row["logical_id"] == "edge_topology")[field] = value

        return change

    ran, own = "S0.run_id", f"S0.{SEAL}.contract"
    digests = (ran, "S0.receipt_policies", "S0.receipt_digests")
    yield edited(SEAL, "a seal forged", "S0.sealed_digests", rows(policy("sha256_hex", "0" * 64)), digests)
    yield edited(
        SEAL,
        "a seal that names another file",
        "S0.sealed_paths",
        rows(policy("path", "edge_topology.yml")),
        (*digests, "tree.layout"),
    )
    yield edited(
        SEAL,
        "a path out of the tree in a seal",
        own,
        rows(policy("path", "../edge_topology.yaml")),
        (*digests, "S0.sealed_paths", "tree.layout"),
    )
    yield edited(
        SEAL,
        "a backslash in a sealed path",
        own,
        rows(policy("path", "..\\edge_topology.yaml")),
        (*digests, "S0.sealed_paths", "tree.layout"),
    )
    yield edited(
        SEAL,
        "an input left out of the seal",
        "S0.sealed_set",
        rows(lambda listed: listed.remove(next(row for row in listed if row["logical_id"] == "tile_bounds"))),
        digests,
    )
    yield edited(
        SEAL,
        "an input sealed twice",
        own,
        rows(lambda listed: listed.insert(3, dict(listed[3]))),
        (*digests, "S0.sealed_set"),
    )
    yield edited(
        SEAL, "sealed inputs exchanged", own, rows(lambda listed: listed.insert(0, listed.pop(1))), digests
    )
    yield edited(SEAL, "a role changed", "S0.sealed_paths", rows(policy("role", "reference")), digests)
    yield edited(
        SEAL,
        "a shape of another policy",
        "S0.sealed_paths",
        rows(policy("schema_ref", "policies/tz_nudge")),
        digests,
    )

    def gate(listed: list[dict[str, Any]]) -> None:
        next(row for row in listed if row["logical_id"] == "validation_bundle_1B")["sha256_hex"] = "0" * 64

    yield edited(
        SEAL, "a bundle by another digest", "S0.receipt_gates", rows(gate), (ran, "S0.sealed_digests")
    )


def _findings() -> Iterator[Fault]:
    def change(name: str, alter: Callable[[Any], Any], check: str = "S0.input_findings", *also: str) -> Fault:
        return edited(FINDINGS, name, check, lambda tree: tree.document(FINDINGS, alter), also)

    def found(**row: Any) -> Callable[[Any], None]:
        return lambda document: document["findings"].append(
            {"kind": "COUNTRIES_OVERLAP", "dataset": "world_countries", "subject": "DE", "others": ["FR"]}
            | row
        )

    networks = ("S0.receipt_notes", "S2.country_counts", "S2.profile_guards", "S2.edge_weight")
    yield change("an overlap made up", found(), "S0.input_findings", "S0.receipt_notes")
    yield change("a finding of no kind", found(kind="WEATHER"), f"S0.{FINDINGS}.contract", "S0.receipt_notes")
    yield change(
        "a country taken out of the prior",
        lambda document: document["left_prior"].append("DE"),
        "S0.input_findings",
        *networks,
    )
    yield change(
        "a country without zones that has some",
        lambda document: document["countries_without"]["zones"].append("DE"),
    )
    yield from _notes()


def _notes() -> Iterator[Fault]:
    check = "S0.receipt_notes"
    for name, said in (
        ("a finding in the notes that nobody found", "world_countries: DE overlaps FR"),
        ("receipt notes invented", "checked by hand, nothing to report"),
        ("receipt notes of a policy the root has not", "tz_nudge of the root says epsilon_deg 9"),
    ):

        def say(tree: Tree, said: str = said) -> None:
            tree.document(RECEIPT, lambda receipt: receipt | {"notes": said})

        yield edited(RECEIPT, name, check, say)

    def lied(name: str, change: Callable[[str], str | None]) -> Fault:
        def lie(receipt: dict[str, Any]) -> dict[str, Any]:
            said = change(receipt["notes"])
            rest = {key: value for key, value in receipt.items() if key != "notes"}
            return rest if said is None else rest | {"notes": said}

        return forged(RECEIPT, name, check, Forgery(writes={RECEIPT: lie}, world=noteworthy))

    yield lied("receipt notes dropped", lambda notes: None)
    yield lied("receipt notes cut to the first", lambda notes: notes.split("; ")[0])
    yield lied("receipt notes with another value", lambda notes: notes.replace("0.001", "0.002"))
    yield lied("receipt notes with one more", lambda notes: f"all is well; {notes}")
    yield lied("receipt notes of another release", lambda notes: notes.replace("2021a", "2021b"))
    yield lied("receipt notes exchanged", lambda notes: "; ".join(reversed(notes.split("; "))))


def noteworthy(world: Path) -> None:
    """Give the world policies of the layer that differ from the segment's in two values, and old timetables."""
    identity = read_receipt(world)
    timetables = {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "tzdb_release_tag": "2021a",
        "tzdb_archive_sha256": "a" * 64,
        "tz_index_digest": "b" * 64,
        "rle_cache_bytes": 2,
        "created_utc": identity.created_utc,
    }
    folder = world / contract("tz_timetable_cache").path.format(**vars(identity))
    folder.mkdir(parents=True)
    (folder / "tz_timetable_cache.json").write_bytes(canonical_json(timetables))
    (folder / "tz_cache_v1.bin").write_bytes(b"\x00\x01")
    registry = by_own_id()
    said = {
        "tz_nudge": b"semver: 1.3.0\nepsilon_degrees: 0.001\n",
        "alias_layout": b'{"layout_version": "2B.alias", "quantised_bits": 24}',
    }
    for policy_id, content in said.items():
        path = world / registry[policy_id].path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _receipt() -> Iterator[Fault]:
    def said(**fields: Any) -> Callable[[Tree], None]:
        return lambda tree: tree.document(RECEIPT, lambda receipt: receipt | fields)

    def inside(key: str, change: Callable[[Any], None]) -> Callable[[Tree], None]:
        return lambda tree: tree.document(RECEIPT, lambda receipt: change(receipt[key]))

    identity = f"S0.{RECEIPT}.identity"
    yield edited(RECEIPT, "a receipt of another seed", identity, said(seed=43), ("tree.identity",))
    yield edited(
        RECEIPT,
        "a receipt of another world",
        identity,
        said(manifest_fingerprint="0" * 64),
        ("tree.identity",),
    )
    yield edited(
        RECEIPT,
        "a receipt dated by the clock",
        "tree.identity",
        said(verified_at_utc="2031-01-01T00:00:00.000000Z"),
        ("S0.receipt_gates",),
    )
    yield edited(
        RECEIPT,
        "a gate's digest",
        "S0.receipt_gates",
        inside("upstream_gates", lambda gates: gates["segment_1B"].update(sha256_hex="0" * 64)),
    )
    yield edited(
        RECEIPT,
        "a gate's path",
        "S0.receipt_gates",
        inside(
            "upstream_gates",
            lambda gates: gates["segment_1B"].update(flag_path=gates["segment_1A"]["flag_path"]),
        ),
    )
    yield edited(
        RECEIPT,
        "a digest of what was not sealed",
        "S0.receipt_digests",
        inside("digests", lambda digests: digests.update(tz_index_digest="0" * 64)),
    )
    yield edited(
        RECEIPT,
        "a gate that failed",
        f"S0.{RECEIPT}.contract",
        inside("upstream_gates", lambda gates: gates["segment_1B"].update(status="FAIL")),
    )
    yield edited(
        RECEIPT,
        "a gate left out",
        f"S0.{RECEIPT}.contract",
        inside("upstream_gates", lambda gates: gates.pop("segment_2A")),
    )
    yield edited(
        RECEIPT,
        "a bundle's id",
        "S0.receipt_gates",
        inside("upstream_gates", lambda gates: gates["segment_1B"].update(bundle_id="validation_bundle_9Z")),
    )
    yield edited(
        RECEIPT,
        "a policy's digest in the receipt",
        "S0.receipt_policies",
        inside("sealed_policy_set", lambda listed: listed[2].update(sha256_hex="0" * 64)),
    )
    yield edited(
        RECEIPT,
        "a policy left out of the receipt",
        f"S0.{RECEIPT}.contract",
        inside("sealed_policy_set", lambda listed: listed.pop(2)),
        ("S0.receipt_policies",),
    )
    for digest in (
        "virtual_rules_digest",
        "cdn_weights_digest",
        "virtual_validation_digest",
        "settlement_coord_digest",
        "tzdata_archive_digest",
        "tz_index_digest",
    ):
        yield edited(
            RECEIPT,
            f"{digest} of something else",
            "S0.receipt_digests",
            inside("digests", lambda digests, digest=digest: digests.update({digest: "f" * 64})),
        )
