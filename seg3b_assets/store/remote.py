"""An object store by URL: objects by path, each there whole or not at all, with exclusive and conditional writes.

What the store promises is all that is relied on: a put is atomic, a read after it sees it, ``create`` has one
winner, ``swap`` succeeds only over the version that was read. Credentials and endpoint come from the environment
(``AWS_*`` and its like; ``AWS_ENDPOINT_URL_S3``) and appear in no message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from seg3b_assets.laws.errors import Seg3BError, fail

EXTRA: Final = "seg3b-assets[s3]"
_ENDPOINT: Final = "AWS_ENDPOINT_URL_S3"
_AT_ONCE: Final = 4
_PART_BYTES: Final = 16 << 20
_READ_BYTES: Final = 4 << 20
_SAID: Final = re.compile(
    r"<Code>(\w+)</Code>|returned non-2xx status code: (\d{3} [A-Za-z ]+)|(error sending request)"
)
_REFUSED: Final = {"401 Unauthorized", "403 Forbidden"}
_IN_MEMORY: dict[str, Any] = {}


@dataclass(frozen=True)
class Stored:
    """An object as read: its bytes, and the version a swap names."""

    content: bytes
    tag: str


@dataclass(frozen=True)
class Entry:
    """An object as listed.

    Attributes:
        path: below the URL.
        bytes: size.
        written: when, by the store's own clock.
    """

    path: str
    bytes: int
    written: datetime


class Remote:
    """The objects below one URL.

    Args:
        url: ``s3://bucket/prefix``, or of another of ``SCHEMES``. ``memory://name`` lives as long as the process.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __reduce__(self) -> tuple[Any, ...]:
        return Remote, (self.url,)

    def place(self, path: str) -> str:
        """The URL of an object, for messages."""
        return f"{self.url}/{path}"

    def read(self, path: str) -> Stored | None:
        """An object; None when it is not there. Raises Seg3BError: INPUT_OPEN_FAILED."""
        with self._told("INPUT_OPEN_FAILED", path):
            try:
                found = self._api.get(self._objects, path)
                return Stored(bytes(found.bytes()), str(found.meta["e_tag"]))
            except FileNotFoundError:
                return None

    def download(self, path: str, target: Path) -> None:
        """Write an object's bytes to a new local file.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED, also when the object is gone.
            OSError: the local file cannot be written.
        """
        with target.open("xb") as handle:
            for chunk in self._chunks(path):
                handle.write(chunk)

    def fetch(self, targets: Mapping[str, Path]) -> None:
        """Write objects by path to new local files, several at a time. Raises as ``download``."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda path: self.download(path, targets[path]), targets))

    def entries(self, folder: str) -> list[Entry]:
        """Every object below a folder, however deep, by path. Raises Seg3BError: INPUT_OPEN_FAILED."""
        with self._told("INPUT_OPEN_FAILED", folder):
            found = self._api.list(self._objects, folder or None).collect()
        listed = [Entry(one["path"], one["size"], one["last_modified"]) for one in found]
        return sorted(listed, key=lambda entry: entry.path)

    def put(self, path: str, content: bytes | Path) -> None:
        """Write an object, over whatever is there; of a Path, the file's bytes.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED.
        """
        with self._told("OUTPUT_WRITE_FAILED", path):
            self._api.put(self._objects, path, content, chunk_size=_PART_BYTES)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Write local files as objects by path, several at a time. Raises as ``put``; some are written then."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda path: self.put(path, files[path]), files))

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless there is one; whether it was written. Of several writers one succeeds."""
        with self._told("OUTPUT_WRITE_FAILED", path):
            try:
                self._api.put(self._objects, path, content, mode="create", use_multipart=False)
            except self._api.exceptions.AlreadyExistsError:
                return False
        return True

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """Write an object over the version ``tag``, or where none is for None; False when it has changed since."""
        if tag is None:
            return self.create(path, content)
        with self._told("OUTPUT_WRITE_FAILED", path):
            try:
                self._api.put(self._objects, path, content, mode={"e_tag": tag}, use_multipart=False)
            except (self._api.exceptions.PreconditionError, FileNotFoundError):
                return False
        return True

    def remove(self, paths: Collection[str]) -> None:
        """Delete objects; those that are not there are no error. Raises Seg3BError: OUTPUT_WRITE_FAILED."""
        for path in paths:
            with self._told("OUTPUT_WRITE_FAILED", path):
                try:
                    self._api.delete(self._objects, path)
                except FileNotFoundError:
                    continue

    def _chunks(self, path: str) -> Iterator[bytes]:
        with self._told("INPUT_OPEN_FAILED", path):
            stream = iter(self._api.get(self._objects, path).stream(_READ_BYTES))
        while True:
            with self._told("INPUT_OPEN_FAILED", path):
                chunk = next(stream, None)
            if chunk is None:
                return
            yield bytes(chunk)

    @cached_property
    def _api(self) -> Any:
        try:
            import obstore  # noqa: PLC0415 - only a home by URL needs it
        except ImportError as error:
            raise fail(
                "remote_library", self.url, f"Install what a home by URL needs: pip install '{EXTRA}'."
            ) from error
        return obstore

    @cached_property
    def _objects(self) -> Any:
        api = self._api
        split = urlsplit(self.url)
        if split.scheme == "memory":
            return _IN_MEMORY.setdefault(self.url, api.store.MemoryStore())
        endpoint = os.environ.get(_ENDPOINT) if split.scheme == "s3" else None
        config: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        if split.scheme == "s3" and not (
            os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        ):
            config["region"] = "us-east-1"
        plain = (endpoint or os.environ.get("AWS_ENDPOINT_URL") or "").startswith("http://")
        retry = {"max_retries": 4}
        client = {"allow_http": True} if plain else {}
        with self._told("INPUT_OPEN_FAILED", ""):
            opened = api.store.from_url(self.url, client_options=client, retry_config=retry, **config)
            # An absent bucket answers a read as an absent object does; a listing tells them apart.
            api.list_with_delimiter(opened, "heads")
        return opened

    @contextmanager
    def _told(self, name: str, path: str) -> Iterator[None]:
        """Turn the library's errors into the segment's."""
        try:
            yield
        except (Seg3BError, self._api.exceptions.AlreadyExistsError, self._api.exceptions.PreconditionError):
            raise
        except (self._api.exceptions.BaseError, OSError) as error:
            raise _failed(name, self.place(path), error) from None


def _failed(name: str, place: str, error: Exception) -> Seg3BError:
    """The segment's error; of the library's text only codes are kept, which name no key and no secret."""
    text = str(error)
    said = sorted({next(filter(None, groups)).strip() for groups in _SAID.findall(text)})
    kind = type(error).__name__
    if "NoSuchBucket" in said:
        rule, remedy = "remote_bucket", "Create the bucket, or name another with --home"
    elif (
        kind in {"PermissionDeniedError", "UnauthenticatedError"} or "redential" in text or _REFUSED & {*said}
    ):
        rule, remedy = (
            "remote_permitted",
            "Give credentials that may list, read, write and delete there (AWS_ACCESS_KEY_ID …)",
        )
    elif "error sending request" in said:
        rule, remedy = (
            "remote_reachable",
            f"Check the network and the endpoint ({_ENDPOINT} or AWS_ENDPOINT_URL)",
        )
    else:
        rule, remedy = "remote_storage", "Check the object store"
    end = "Nothing was published." if name == "OUTPUT_WRITE_FAILED" else "Nothing was changed."
    return Seg3BError(
        "S0", name, rule, place, f"{remedy}, and run again. {end}", {"kind": kind, "said": said}
    )
