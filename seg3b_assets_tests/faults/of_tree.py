"""Faults of an exported tree as a whole: its receipt, the inputs it carries, what lies where."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import BUNDLE, Tree
from seg3b_assets_tests.faults.fault import Fault, edited

_RECEIPT = "run_receipt.json"


def tree_faults() -> Iterator[Fault]:
    """Receipt, inputs, tree."""
    yield from _receipt()
    yield from _inputs()
    yield from _tree()


def _receipt() -> Iterator[Fault]:
    def said(change: Callable[[Any], Any]) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            tree.touched.add(_RECEIPT)
            path = tree.root / _RECEIPT
            value = orjson.loads(path.read_bytes())
            changed = change(value)
            tree.replace(path, canonical_json(value if changed is None else changed))

        return plant

    def raw(change: edits.Bytes) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            tree.touched.add(_RECEIPT)
            tree.replace(tree.root / _RECEIPT, change((tree.root / _RECEIPT).read_bytes()))

        return plant

    receipt, files, who = "tree.receipt", "tree.files", "tree.identity"
    yield edited(
        _RECEIPT,
        "a receipt of another seed's export",
        who,
        said(lambda value: value | {"seed": 43}),
        (receipt,),
    )
    yield edited(
        _RECEIPT,
        "an export of another run",
        receipt,
        said(lambda value: value | {"run_id": "0" * 32}),
        (who,),
    )
    yield edited(_RECEIPT, "another lineage", receipt, said(lambda value: value | {"lineage_id": "0" * 64}))
    yield edited(
        _RECEIPT,
        "a file's digest in the receipt",
        files,
        said(lambda value: value["files"][3].update(sha256_hex="0" * 64)),
    )
    yield edited(
        _RECEIPT,
        "a file's size in the receipt",
        files,
        said(lambda value: value["files"][3].update(size_bytes=1)),
    )
    yield edited(
        _RECEIPT, "a file left out of the receipt", files, said(lambda value: value["files"].pop(3) and None)
    )
    yield edited(
        _RECEIPT,
        "a path out of the tree in the receipt",
        receipt,
        said(
            lambda value: value["files"].append(
                {"path": "../../etc/passwd", "sha256_hex": "0" * 64, "size_bytes": 1}
            )
        ),
        (files,),
    )
    yield edited(_RECEIPT, "a receipt that is no JSON", receipt, raw(edits.halved), (who, files))
    yield edited(_RECEIPT, "a receipt laid out for people", receipt, raw(edits.indented))
    yield edited(_RECEIPT, "a key twice in the receipt", receipt, raw(edits.with_first_key_repeated))
    yield edited(
        _RECEIPT,
        "a state's code version",
        "S2.rng_audit.identity",
        said(lambda value: value["states"]["S2"].update(code_version="2.99.0")),
        (receipt,),
    )


def _inputs() -> Iterator[Fault]:
    def policy(name: str, change: Callable[[str], str]) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            path = tree.root / f"inputs/policies/{name}.yaml"
            tree.replace(path, change(path.read_text(encoding="utf-8")).encode())

        return plant

    def upstream(pattern: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            path = next(iter(sorted(tree.root.glob(f"inputs/{pattern}"))))
            frame = change(pl.read_parquet(path.read_bytes()))
            path.unlink()
            frame.write_parquet(path)

        return plant

    digest, known = "S0.sealed_digests", "tree.policies"
    follows = ("S0.receipt_policies", "S0.receipt_digests")
    yield edited(
        "edge_topology",
        "a comment in a sealed policy",
        digest,
        policy("edge_topology", lambda text: text + "# a word more\n"),
        follows,
    )
    yield edited(
        "edge_topology",
        "a knob of a sealed policy",
        digest,
        policy("edge_topology", lambda text: text.replace("concentration: 0.07", "concentration: 0.08")),
        (*follows, "S2.edge_weight"),
    )
    yield edited(
        "mcc_channel_rules",
        "a rule's rate",
        digest,
        policy("mcc_channel_rules", lambda text: text.replace("propensity: 0.", "propensity: 0.0", 1)),
        (
            *follows,
            "S1.decision",
            "S1.lineage",
            "S1.settlement_lineage_set",
            "S2.country_counts",
            "S2.profile_class",
            "S2.profile_guards",
            "S1.classification_digest",
            "S1.settlement_place",
            "S3.universe_components",
            "S4.results",
        ),
    )
    yield edited(
        "virtual_validation",
        "a gate of a sealed policy",
        digest,
        policy("virtual_validation", lambda text: text.replace("mode: observe", "mode: enforce")),
        (*follows, "S4.severity", "S4.run_summary", "S5.realism_results", "S4.results"),
    )
    yield edited(
        "tz_nudge",
        "an anchor in a sealed policy",
        known,
        policy("tz_nudge", lambda text: text + "x: &a 1\n"),
        ("S0.sealed_digests", *follows),
    )
    yield edited(
        "tz_nudge",
        "a sealed policy that is no YAML",
        known,
        policy("tz_nudge", lambda text: "{"),
        ("S0.sealed_digests", *follows),
    )
    yield edited(
        "tz_nudge",
        "a sealed policy of a Python tag",
        known,
        policy("tz_nudge", lambda text: text + "x: !!python/object/apply:os.system ['true']\n"),
        ("S0.sealed_digests", *follows),
    )
    yield edited(
        "settlement_gazetteer",
        "a place's population",
        digest,
        upstream(
            "upstream/reference/spatial/settlement_gazetteer/*/*.parquet", edits.set_cell(7, population=10**9)
        ),
        ("S1.settlement_place", "S2.country_counts", "S2.edge_weight", "S2.profile_guards"),
    )
    yield edited(
        "transaction_schema_merchant_ids",
        "a merchant's trade",
        digest,
        upstream(
            "upstream/reference/layer1/transaction_schema_merchant_ids/*/*.parquet",
            edits.set_cell(7, mcc=9999),
        ),
        ("S1.decision", "S1.classification_digest", "S1.settlement_place"),
    )
    yield edited(
        "outlet_catalogue",
        "an outlet left out",
        digest,
        upstream("upstream/data/layer1/1A/outlet_catalogue/*/*/*.parquet", edits.drop_row(0)),
        ("S2.profile_class", "S2.country_counts", "S2.edge_weight", "S2.profile_guards"),
    )
    excerpt = "tree.tile_excerpt"
    placed = (
        "S2.edge_tile",
        "S2.edge_point",
        "S2.edge_zone",
        "S2.edge_in_tile",
        "S2.edge_in_country",
        "S2.edge_weight",
        "S2.tile_surface",
        "S2.jitter.candidate",
        "S2.jitter.accepted",
        "S2.jitter.sequence",
        "S2.jitter.tile",
        "S2.jitter.zone",
        "S2.jitter.accounting",
        "S2.tile_assign.tile",
        "S2.trace.sequence",
        "S2.trace.totals",
    )
    yield edited(
        "tile_excerpt",
        "a tile's weight of zero",
        excerpt,
        upstream("tile_excerpt.parquet", edits.set_cell(3, weight_fp=0)),
        placed,
    )
    yield edited(
        "tile_excerpt",
        "a tile moved",
        excerpt,
        upstream(
            "tile_excerpt.parquet",
            lambda frame: edits.set_cell(3, min_lon_deg=frame["min_lon_deg"][3] - 0.5)(frame),
        ),
        placed,
    )


def _tree() -> Iterator[Fault]:
    layout = "tree.layout"

    def put(where: str, data: bytes = b"x") -> Callable[[Tree], None]:
        return lambda tree: tree.replace(tree.root / where, data)

    def link(where: str, target: str) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            path = tree.root / where
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)

        return plant

    def in_bundle(name: str) -> Callable[[Tree], None]:
        return lambda tree: tree.replace(tree.member(name), b"{}")

    def linked(dataset: str) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            path = tree.file(dataset)
            target = Path(path.parent, "behind.bin")
            path.rename(target)
            path.symlink_to(target.name)
            tree.touched.add(dataset)

        return plant

    members = ("S5.bundle_members",)
    yield edited("tree", "a file at the root", layout, put("notes.txt"))
    yield edited("tree", "a file beside a dataset", layout, put("data/layer1/3B/README"))
    yield edited("tree", "another segment's data", layout, put("data/layer1/3C/x.json", b"{}"))
    yield edited(
        "tree",
        "a folder of another seed",
        layout,
        put("data/layer1/3B/edge_catalogue/seed=43/part-00000.parquet"),
        ("S2.part_files",),
    )
    yield edited("tree", "an input nobody sealed", layout, put("inputs/upstream/secret.csv"))
    yield edited(
        "tree",
        "a policy nobody knows",
        layout,
        put("inputs/policies/extra.yaml", b"a: 1\n"),
        ("tree.policies",),
    )
    yield edited("tree", "a link to the world outside", layout, link("data/layer1/3B/out", "/etc"))
    yield edited("tree", "a link that goes in circles", layout, link("data/layer1/3B/loop", "."))
    yield edited("tree", "a link to nothing", layout, link("data/layer1/3B/gone", "nowhere"))
    yield edited(
        "tree",
        "a blob behind a link",
        layout,
        linked("edge_alias_blob_3B"),
        ("tree.datasets", "S3.edge_alias_blob_3B.contract"),
    )
    yield edited("tree", "a log behind a link", layout, linked("rng_trace_log_3B"), ("tree.datasets",))
    yield edited(
        BUNDLE,
        "a file more in the bundle",
        "S5.bundle_members",
        in_bundle("s6_summary_3B.json"),
        ("S5.bundle_index", layout),
    )
    yield edited(
        BUNDLE,
        "a hidden file in the bundle",
        "S5.bundle_members",
        in_bundle(".hidden"),
        ("S5.bundle_index", layout),
    )
    yield edited(
        BUNDLE, "a folder in the bundle", "S5.bundle_members", in_bundle("more/x.json"), (layout, *members)
    )
    unsealed = "S5.published_digests"
    for dataset in (
        "edge_catalogue_3B",
        "edge_alias_index_3B",
        "virtual_settlement_3B",
        "edge_merchant_profile_3B",
    ):
        yield edited(
            dataset,
            f"{dataset}: the same rows in other bytes",
            unsealed,
            lambda tree, dataset=dataset: tree.replace(tree.file(dataset), _other_bytes(tree.file(dataset))),
            ("S2.index_global", "S3.universe_components", "tree.files", "S1.run_report", "S2.run_report"),
            resealed=False,
        )


def _other_bytes(path: Path) -> bytes:

    buffer = io.BytesIO()
    pl.read_parquet(path.read_bytes()).write_parquet(buffer, compression="zstd", compression_level=9)
    return buffer.getvalue()
