"""Where a case is tried: private copies of a finished run, of the root it was made of, of its home and its policies.

Trees and roots are copied by hard links (replace their files, never write into one); homes and policies byte by byte.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.specimen import Specimen

SECRET: Final = "the-key-nobody-should-see-4f1c"
PLACES: Final = """place_id,country_iso,lat_deg,lon_deg,population
geonames:1,PE,-12.0464,-77.0428,10000000
geonames:2,FR,48.8566,2.3522,2100000
geonames:3,JP,35.6762,139.6503,14000000
"""


@dataclass(frozen=True)
class Ground:
    """A folder of its own for one input at one door.

    Attributes:
        folder: everything lies below it. specimen: what is copied, and never touched.
        merchant: a virtual merchant of it, for whom edges are drawn.
        opened: descriptors that an input keeps open while a door is tried.
    """

    folder: Path
    specimen: Specimen
    merchant: int
    opened: list[int] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def target(self) -> Path:
        """What a door is asked to write."""
        return self.folder / "target"

    @property
    def places(self) -> Path:
        """Places for a gazetteer, as a geocoder has them."""
        return self.folder / "places.csv"

    @property
    def private(self) -> Path:
        """Somebody's folder, which no input may give away or change."""
        return self.folder / "private"

    @property
    def secret(self) -> Path:
        return self.private / "secret.txt"

    def lay(self) -> None:
        """Make the copies and the private folder."""
        self.folder.mkdir(parents=True)
        self.specimen.copy(self.tree)
        self.specimen.copy_of_world(self.root)
        self.specimen.copy_of_policies(self.policies)
        shutil.copytree(self.specimen.folder / "home", self.home, symlinks=True)
        self.private.mkdir()
        self.secret.write_text(f"{SECRET}\n", encoding="utf-8")
        (self.private / "table.parquet").write_bytes(b"PAR1" + SECRET.encode() + b"PAR1")
        self.places.write_text(PLACES, encoding="utf-8")
        for name in ("user", "scratch"):
            (self.folder / name).mkdir()

    def clear(self) -> None:
        """Close and remove everything; folders may be too deep for the library."""
        for handle in self.opened:
            os.close(handle)
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)

    @property
    def edited_tree(self) -> Tree:
        return Tree(self.tree)

    @property
    def edited_root(self) -> UpstreamCopy:
        return UpstreamCopy(self.root)

    def environment(self) -> dict[str, str]:
        """Of a person who has nothing else: no configuration, a home and a scratch folder of their own."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "user"),
            "TMPDIR": str(self.folder / "scratch"),
            "LANG": "C.UTF-8",
            "SEG3B_CACHE": str(self.cache),
            "SEG3B_POLICIES": str(self.policies),
            "SEG3B_WORKERS": "1",
            "SEG3B_LOCK_WAIT_S": "1",
            "POLARS_MAX_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(_checkout())]),
        }


def _checkout() -> Path:
    return Path(__file__).resolve().parents[2]
