"""A copy of an exported tree that tests may spoil, and what a verification of it says."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.audit.checks import in_causal_order
from seg3b_assets.audit.verification import Verification
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.plain_files import files_below

# What no tree can prove of itself.
UPSTREAM_ALONE = ("S0.upstream_gates", "S0.upstream_inputs", "tree.tile_excerpt_sealed")


class Tree:
    """A copy of the exported tree that can be spoilt: files are replaced, never written into."""

    def __init__(self, source: Path, root: Path) -> None:
        self.root = Path(shutil.copytree(source, root, copy_function=os.link, symlinks=True))

    def path(self, ending: str) -> Path:
        names = [name for name in files_below(self.root) if name.endswith(ending)]
        [found] = [one for one in names if one == ending or "inputs/" in ending or "inputs/" not in one]
        return self.root / found

    def put(self, ending: str, change: Callable[[bytes], bytes]) -> None:
        path = self.path(ending)
        data = change(path.read_bytes())
        path.unlink()
        path.write_bytes(data)

    def document(self, ending: str, **fields: Any) -> None:
        self.put(ending, lambda data: canonical_json({**orjson.loads(data), **fields}))

    def seal_again(self) -> None:
        """Index and flag over the members as they are now, as a careful forger leaves them."""
        bundle = self.path("_passed.flag").parent
        index = orjson.loads((bundle / "index.json").read_bytes())
        digest = hashlib.sha256()
        for member in index["members"]:
            data = (bundle / member["path"]).read_bytes()
            digest.update(data)
            member |= {"sha256_hex": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            if member["path"] == "s5_manifest_3B.json":
                index["s5_manifest_digest"] = member["sha256_hex"]
        self.document("/index.json", **index)
        self.put("_passed.flag", lambda _: f"sha256_hex = {digest.hexdigest()}\n".encode())

    def list_again(self) -> None:
        """The receipt's list of files as they are now."""
        files = [
            {
                "path": name,
                "size_bytes": (self.root / name).stat().st_size,
                "sha256_hex": hashlib.sha256((self.root / name).read_bytes()).hexdigest(),
            }
            for name in files_below(self.root)
            if name != "run_receipt.json"
        ]
        receipt = orjson.loads((self.root / "run_receipt.json").read_bytes())
        (self.root / "run_receipt.json").unlink()
        (self.root / "run_receipt.json").write_bytes(canonical_json({**receipt, "files": files}))


def failed(found: Verification) -> list[str]:
    """Failed checks, the one that speaks of the fault first."""
    return [result.check_id for result, _ in in_causal_order(found.report.failed)]


def skipped(found: Verification) -> dict[str, str]:
    return {result.check_id: str(result.detail["reason"]) for result in found.report.skipped}
