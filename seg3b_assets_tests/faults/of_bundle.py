"""Faults of the bundle and its flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import FLAG, Tree
from seg3b_assets_tests.faults.fault import Fault, edited

_NOBODYS = {
    "source": "tz_overrides:edges",
    "rows": 1,
    "used": 1,
    "idle": 0,
    "unmatched": 0,
    "expired": 0,
    "examples": [],
}
_OUTSIDE = {
    "kind": "COORDINATE_OUTSIDE_ZONE",
    "severity": "WARNING",
    "source": "virtual_settlement_coords",
    "row": 1,
    "merchant_id": "1",
    "lat_deg": -77.0,
    "lon_deg": -12.0,
    "tzid_settlement": "America/Lima",
}
_WRITTEN_BY_S5 = (
    "s5_audit_3B",
    "s5_digest_summary_3B",
    "s5_manifest_3B",
    "s5_realism_results_3B",
    "s5_rng_summary_3B",
    "s5_structural_summary_3B",
)


def bundle_faults() -> Iterator[Fault]:
    """Members, summaries, index, flag."""
    yield from _members()
    yield from _summaries()
    yield from _index()
    yield from _flag()
    yield from _reports()


def _member(name: str) -> Callable[[edits.Bytes], Callable[[Tree], None]]:
    def changing(change: edits.Bytes) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            tree.touched.add(name)
            tree.replace(tree.member(name), change(tree.member(name).read_bytes()))

        return plant

    return changing


def _members() -> Iterator[Fault]:
    for dataset in _WRITTEN_BY_S5:
        changing, own = _member(f"{dataset}.json"), f"S5.{dataset}.contract"
        also = (f"S5.{dataset}.identity", "tree.identity", "S5.published_digests")
        for name, change in (
            ("a key given twice", edits.with_first_key_repeated),
            ("an unknown key", edits.with_unknown_key),
            ("cut in half", edits.halved),
        ):
            yield edited(dataset, f"{dataset}: {name}", own, changing(change), also)
        yield edited(
            dataset,
            f"{dataset}: of another world",
            f"S5.{dataset}.identity",
            changing(_of_another_world),
            ("tree.identity", own),
        )
        yield edited(dataset, f"{dataset}: gone", "S5.bundle_members", _gone(f"{dataset}.json"), also)
    for dataset in ("s0_gate_receipt_3B", "sealed_inputs_3B", "s4_run_summary_3B"):
        yield edited(
            dataset,
            f"{dataset} in the bundle: another key",
            "S5.carried",
            _member(f"{dataset}.json")(edits.with_unknown_key),
        )


def _of_another_world(data: bytes) -> bytes:
    return canonical_json(orjson.loads(data) | {"parameter_hash": "0" * 64})


def _gone(name: str) -> Callable[[Tree], None]:
    def plant(tree: Tree) -> None:
        tree.touched |= {name, FLAG} if name == "_passed.flag" else {name}
        tree.member(name).unlink()

    return plant


def _said(name: str, change: Callable[[Any], Any]) -> Callable[[Tree], None]:
    return lambda tree: tree.bundle_member(f"{name}.json", change)


def _summaries() -> Iterator[Fault]:
    def first(key: str, **fields: Any) -> Callable[[Any], None]:
        return lambda value: value[key][0].update(fields)

    def named(key: str, **fields: Any) -> Callable[[Any], None]:
        return lambda value: value[key].update(fields)

    structural, rng, digests = "s5_structural_summary_3B", "s5_rng_summary_3B", "s5_digest_summary_3B"
    realism, manifest, audit = "s5_realism_results_3B", "s5_manifest_3B", "s5_audit_3B"
    cases: tuple[tuple[str, str, Callable[[Any], Any], str], ...] = (
        (
            structural,
            "a check that failed",
            first("checks", status="FAIL", affected_count=3),
            "S5.structural_summary",
        ),
        (
            structural,
            "a check left out",
            lambda value: value["checks"].pop(4) and None,
            "S5.structural_summary",
        ),
        (
            structural,
            "a check nobody made",
            lambda value: value["checks"].append({**value["checks"][0], "check_id": "S9.everything"}),
            "S5.structural_summary",
        ),
        (structural, "a count", named("counts", edge_total=7), "S5.structural_summary"),
        (structural, "the status", lambda value: value.update(status="FAIL"), "S5.structural_summary"),
        (rng, "a stream's events", first("streams", events_total=7), "S5.rng_summary"),
        (rng, "a stream left out", lambda value: value["streams"].pop(2) and None, "S5.rng_summary"),
        (
            rng,
            "a stream nobody draws from",
            lambda value: value["streams"].append({**value["streams"][-1], "substream_label": "zz"}),
            "S5.rng_summary",
        ),
        (
            rng,
            "a stream said to be checked otherwise",
            lambda value: next(one for one in value["streams"] if "notes" in one).update(notes="by hand"),
            "S5.rng_summary",
        ),
        (
            digests,
            "a policy's digest",
            named("digests", mcc_channel_rules_digest="0" * 64),
            "S5.digest_summary",
        ),
        (
            digests,
            "an output's digest",
            named("digests", edge_alias_blob_digest="0" * 64),
            "S5.digest_summary",
        ),
        (digests, "the universe hash", named("digests", edge_universe_hash="0" * 64), "S5.digest_summary"),
        (
            audit,
            "a check by another law",
            first("checks", law="§9"),
            "S5.audit",
        ),
        (audit, "a count", named("counts", settlements=7), "S5.audit"),
        (audit, "a digest", first("digests", published="0" * 64, recomputed="0" * 64), "S5.audit"),
        (audit, "a digest left out", lambda value: value["digests"].pop(0) and None, "S5.audit"),
        (
            audit,
            "a log's digest",
            lambda value: value["logs"]["rng_trace_log"].update(lane_digest="0" * 64),
            "S5.audit",
        ),
        (
            audit,
            "the accepted attempts",
            lambda value: value["logs"]["rng_event_edge_jitter"].update(accepted=7),
            "S5.audit",
        ),
        (audit, "a figure of the contract", named("contract", rows_enabled=1), "S5.audit"),
        (audit, "another audit", lambda value: value.update(audit_version="9.9.9"), "S5.audit"),
        (realism, "a measured value", first("results", measured=0.5), "S5.realism_results"),
        (realism, "a result left out", lambda value: value["results"].pop(0) and None, "S5.realism_results"),
        (
            realism,
            "the mode",
            lambda value: value.update(realism_enforcement_mode="enforce"),
            "S5.realism_results",
        ),
        (manifest, "a dataset's digest", first("evidence", sha256_hex="0" * 64), "S5.manifest"),
        (manifest, "a dataset left out", lambda value: value["evidence"].pop(2) and None, "S5.manifest"),
        (
            manifest,
            "a dataset nobody made",
            lambda value: value["evidence"].append({"logical_id": "zz_3B", "sha256_hex": "0" * 64}),
            "S5.manifest",
        ),
        (
            manifest,
            "the catalogue a router is bound by",
            named("digests", edge_catalogue_digest_global="0" * 64),
            "S5.manifest",
        ),
    )
    for dataset, name, change, check in cases:
        also = ("S5.published_digests", f"S5.{dataset}.contract")
        yield edited(dataset, f"{dataset}: {name}", check, _said(dataset, change), also)


def _index() -> Iterator[Fault]:
    def row(at: int, **fields: Any) -> Callable[[Tree], None]:
        return lambda tree: tree.bundle_member(
            "index.json", lambda index: index["members"][at].update(fields)
        )

    listed, own = "S5.bundle_index", "S5.validation_bundle_index_3B.contract"
    target = "validation_bundle_index_3B"
    yield edited(target, "a member's digest in the index", listed, row(2, sha256_hex="0" * 64))
    yield edited(target, "a member's size in the index", listed, row(2, size_bytes=1))
    yield edited(
        target,
        "a path out of the bundle in the index",
        own,
        row(2, path="../../../../../../etc/passwd"),
        (listed,),
    )
    yield edited(target, "an absolute path in the index", own, row(2, path="/etc/passwd"), (listed,))
    yield edited(target, "a backslash in the index", own, row(2, path="..\\s4.json"), (listed,))
    yield edited(
        target, "a look-alike name in the index", own, row(2, path="s5_digеst_summary_3B.json"), (listed,)
    )
    yield edited(
        target,
        "a member left out of the index",
        listed,
        lambda tree: tree.bundle_member("index.json", lambda index: index["members"].pop(2) and None),
        (own,),
    )
    yield edited(
        target,
        "a member twice in the index",
        own,
        lambda tree: tree.bundle_member(
            "index.json", lambda index: index["members"].insert(2, index["members"][2])
        ),
        (listed,),
    )
    yield edited(
        target,
        "members exchanged in the index",
        own,
        lambda tree: tree.bundle_member(
            "index.json", lambda index: index["members"].insert(0, index["members"].pop())
        ),
        (listed,),
    )
    yield edited(
        target,
        "the manifest's digest in the index",
        listed,
        lambda tree: tree.bundle_member(
            "index.json", lambda index: index.update(s5_manifest_digest="0" * 64)
        ),
    )
    yield edited(
        target,
        "another schema in the index",
        listed,
        row(2, schema_ref="contracts/s5_manifest_3B.schema.json"),
        (own,),
    )
    yield edited(
        target,
        "an index of a thousand nested lists",
        own,
        _member("index.json")(lambda _: b"[" * 1000 + b"]" * 1000),
        (listed,),
    )
    yield edited(target, "no index", "S5.bundle_members", _gone("index.json"), (own, listed))


def _flag() -> Iterator[Fault]:
    def written(change: edits.Bytes) -> Callable[[Tree], None]:
        return lambda tree: tree.data(FLAG, change)

    flag = "S5.flag"
    yield edited(FLAG, "another flag", flag, written(lambda _: b"sha256_hex = " + b"0" * 64 + b"\n"))
    yield edited(FLAG, "a flag without a newline", flag, written(lambda data: data[:-1]))
    yield edited(FLAG, "a flag with a carriage return", flag, written(edits.with_carriage_returns))
    yield edited(FLAG, "a flag in capitals", flag, written(lambda data: data[:13] + data[13:].upper()))
    yield edited(FLAG, "a flag with a line more", flag, written(lambda data: data + data))
    yield edited(FLAG, "a flag with a byte order mark", flag, written(edits.with_byte_order_mark))
    yield edited(FLAG, "an empty flag", flag, written(edits.nothing))
    yield edited(FLAG, "a flag of a megabyte", flag, written(lambda data: data * 15_000))
    yield edited(FLAG, "no flag", flag, _gone("_passed.flag"), ("tree.datasets", "S5.bundle_members"))


def _reports() -> Iterator[Fault]:
    """The run reports of S1 to S5."""
    for number in range(1, 6):
        target, check = f"s{number}_run_report_3B", f"S{number}.run_report"
        own = f"S{number}.{target}.contract"

        def said(change: Callable[[Any], Any], target: str = target) -> Callable[[Tree], None]:
            return lambda tree: tree.document(target, change)

        def output(target: str = target, **fields: Any) -> Callable[[Tree], None]:
            return said(lambda report: report["outputs"][0].update(fields), target)

        yield edited(target, f"{target}: an output's digest", check, output(sha256_hex="0" * 64))
        yield edited(target, f"{target}: an output's size", check, output(size_bytes=1))
        yield edited(target, f"{target}: an output elsewhere", check, output(path="data/elsewhere"))
        yield edited(
            target,
            f"{target}: an output left out",
            check,
            said(lambda report: report["outputs"].pop() and None),
            (own,),
        )
        if number == 1:
            used = said(lambda report: report["joined"].append(_NOBODYS))
            yield edited(target, f"{target}: an override list nobody wrote", check, used)
            warned = said(lambda report: report["warnings"].append(_OUTSIDE))
            yield edited(target, f"{target}: a coordinate outside its zone that nobody wrote", check, warned)
            untold = said(lambda report: [report.pop("warnings"), None][1])
            unheard = f"{target}: no word of coordinates outside their zones"
            yield edited(target, unheard, own, untold, (check,))
        yield edited(
            target,
            f"{target}: another policy",
            check,
            said(lambda report: report["policies"].update(edge_topology="0" * 64)),
        )
        yield edited(
            target,
            f"{target}: bound to other inputs",
            check,
            said(lambda report: report.update(sealed_inputs_digest="0" * 64)),
        )
        yield edited(
            target,
            f"{target}: of another run",
            f"S{number}.{target}.identity",
            said(lambda report: report.update(run_id="0" * 32)),
            ("tree.identity",),
        )
        yield edited(
            target, f"{target}: a state that failed", own, said(lambda report: report.update(status="FAIL"))
        )
