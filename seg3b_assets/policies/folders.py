"""The files of a policy folder as they count: as they lie there, or as an overlay makes them of its base.

Reads and merges; what a policy must be is the models' to say. Sub-folders (other policy sets) are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import path_digest, sha256_hex
from seg3b_assets.laws.plain_files import open_plain, real_path
from seg3b_assets.policies.overlay import MARK, SHIPPED, Overlaid, OverlayMark, changes, merged, overlaid_text
from seg3b_assets.policies.refusals import Refusal, from_validation, from_yaml, policy_error
from seg3b_assets.policies.strict_yaml import MAX_BYTES, Document, YamlRefusedError, parse_document
from seg3b_assets.shipped import shipped

MOST_OVERLAYS: Final = 8


@dataclass(frozen=True)
class Source:
    """A policy's text as it counts.

    Attributes:
        path: the file that says it, or that says what an overlay changes.
        content: the bytes that are sealed.
        document: what they say; the lines are those of ``path``.
        overlaid: whether the bytes are those of no file.
    """

    path: Path
    content: bytes
    document: Document
    overlaid: bool = False


class PolicyFolder:
    """A policy folder, and the base that it is an overlay of, if it is.

    Args:
        overlays: whether the folder may be an overlay. One that a stranger supplied may not: it would name a folder
            of ours.

    Raises:
        Seg3BError: ``POLICY_SCHEMA_INVALID`` for an ``overlay.yaml`` that cannot be followed.
    """

    def __init__(self, folder: Path, overlays: bool = True, over: tuple[Path, ...] = ()) -> None:
        self.folder = folder
        self.mark = _mark(folder) if overlays and (folder / MARK).exists() else None
        self.base: PolicyFolder | None = None
        if self.mark is not None:
            self.base = _base(folder, self.mark, (*over, real_path(folder)))

    def read(self, policy_id: str) -> Source:
        """One policy.

        Raises:
            Seg3BError: ``POLICY_SCHEMA_INVALID`` or ``INPUT_OPEN_FAILED``.
        """
        path = self.folder / f"{policy_id}.yaml"
        if self.base is None:
            return _plain(path)
        base = self.base.read(policy_id)
        if not path.exists():
            return base
        try:
            document = merged(base.document, _plain(path).document)
            differ = len(changes(policy_id, base.document.value, document.value))
            if not differ:
                return base
            content = overlaid_text(base.content.decode(), base.document.value, document.value, differ)
        except YamlRefusedError as error:
            raise policy_error(path.name, [from_yaml(error)]) from None
        return Source(path, content, document, overlaid=True)

    def overlaid(self, policy_ids: Iterable[str]) -> Overlaid | None:
        """What the folder changes of its base; None where it is no overlay."""
        if self.mark is None or self.base is None:
            return None
        found = [
            change
            for policy_id in policy_ids
            if (self.folder / f"{policy_id}.yaml").exists()
            for change in changes(
                policy_id, self.base.read(policy_id).document.value, self.read(policy_id).document.value
            )
        ]
        return Overlaid(self.folder, self.mark.base, tuple(found))

    def strangers(self, policy_ids: Collection[str]) -> Iterator[Seg3BError]:
        """A folder that is none or cannot be listed; every YAML file that is no policy's."""
        if not self.folder.is_dir():
            yield _no_folder(self.folder)
            return
        try:
            paths = sorted(self.folder.iterdir())
        except OSError as error:
            yield unreadable(self.folder, error)
            return
        for path in paths:
            if path.suffix not in {".yaml", ".yml"} or not path.is_file() or path.stem in policy_ids:
                continue
            if self.mark is None or path.name != MARK:
                allowed = f"files of the policies {', '.join(policy_ids)}"
                yield policy_error(path.name, [Refusal("policy_file_unknown", (), path.name, allowed, None)])


def policy_digests(folder: Path, policy_ids: Collection[str]) -> dict[str, str | None]:
    """Digest by policy of what counts; None of one that cannot be read. Nothing is validated."""
    try:
        here = PolicyFolder(folder)
    except Seg3BError:
        return dict.fromkeys(policy_ids)
    return {policy_id: _digest(here, policy_id) for policy_id in policy_ids}


def digest_again(overlaid: Collection[Path]) -> Callable[[Path], str]:
    """How an input is hashed again: a file by its bytes, one of these policies by what its overlay makes of it now."""

    @cache
    def digest(path: Path) -> str:
        if path in overlaid:
            return sha256_hex(PolicyFolder(path.parent).read(path.stem).content)
        return path_digest(path)

    return digest


def unreadable(path: Path, error: OSError) -> Seg3BError:
    return fail(
        "policy_readable",
        str(path),
        "Make the policies readable for the user who runs the segment.",
        file=path.name,
        reason=error.strerror or str(error),
    )


def _digest(folder: PolicyFolder, policy_id: str) -> str | None:
    try:
        plain = folder.base is None
        return sha256_hex(
            _bytes(folder.folder / f"{policy_id}.yaml") if plain else folder.read(policy_id).content
        )
    except Seg3BError:
        return None


def _plain(path: Path) -> Source:
    data = _bytes(path)
    try:
        return Source(path, data, parse_document(data))
    except YamlRefusedError as error:
        raise policy_error(path.name, [from_yaml(error)]) from None


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        allowed = f"a file {path.name} in the folder"
        raise policy_error(path.name, [Refusal("policy_file_missing", (), None, allowed, None)])
    try:
        with open_plain(path) as handle:
            return handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error


def _mark(folder: Path) -> OverlayMark:
    source = _plain(folder / MARK)
    try:
        return OverlayMark.model_validate(source.document.value)
    except ValidationError as error:
        raise policy_error(MARK, from_validation(error, OverlayMark, source.document)) from None


def _base(folder: Path, mark: OverlayMark, over: tuple[Path, ...]) -> PolicyFolder:
    path = shipped("policies") if mark.base == SHIPPED else folder / mark.base
    circle = real_path(path) in over
    if circle or len(over) > MOST_OVERLAYS or not path.is_dir():
        allowed = "another policy folder" if circle else f"{SHIPPED}, or the path of a policy folder"
        line = _plain(folder / MARK).document.line(("base",))
        raise policy_error(MARK, [Refusal("overlay_base", ("base",), mark.base, allowed, line)])
    return PolicyFolder(path, over=over)


def _no_folder(folder: Path) -> Seg3BError:
    return fail(
        "policy_folder",
        str(folder),
        "Give a folder that holds the policy files, or an overlay of them, with --policies or SEG3B_POLICIES.",
        file=str(folder),
        allowed="a folder",
    )
