"""What a consumer does with a tree, in a process of its own: open it, take its edges, draw from every merchant."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from seg3b_assets.consume import Router, open_run
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json

_DRAWS = 20


def main() -> int:
    """Argument: the tree. Prints what it answers from, as one JSON object, or why it was refused."""
    try:
        run = open_run(Path(sys.argv[1]))
        router = Router.of(run)
        digest = hashlib.sha256(run.table("edge_catalogue_3B").write_csv().encode())
        for merchant in router.merchant_id:
            digest.update(router.sample(int(merchant), _DRAWS).write_csv().encode())
    except Seg3BError as error:
        sys.stdout.buffer.write(
            canonical_json(
                {"error": {"code": error.code, "place": error.place, "validator": error.validator}}
            )
        )
        return 3
    sys.stdout.buffer.write(canonical_json({"flag": run.flag, "answers": digest.hexdigest()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
