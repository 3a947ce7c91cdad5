"""A document as one shell session in a copy of this checkout, block after block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.documents.blocks import Block

MARK = "@@ "
_WAIT_FOR_PORT = """
import sys, time, urllib.request
for _ in range(240):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/server_info", timeout=2).read()
        break
    except OSError:
        time.sleep(0.5)
else:
    sys.exit("nothing answers")
"""


def checkout(target: Path) -> Path:
    """A copy of the files git knows, using this checkout's environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    (target / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "uv.lock"):
        # Older than the environment, which make would else set up anew for the copy.
        os.utime(target / name, (0, 0))
    return target


def environment(folder: Path) -> dict[str, str]:
    """A person's environment: nothing configured, this checkout's programs on PATH."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEG3B_", "DAGSTER_"))}
    return kept | {
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        # The environment is shared and knows the original; the copy comes first.
        "PYTHONPATH": str(folder),
        "PORT": str(port),
        "COLUMNS": "120",
    }


def run(blocks: Iterable[Block], folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run blocks in one bash; what went before a failure is in the output, the block's place last."""
    script = folder / ".session.sh"
    script.write_text("set -euo pipefail\n" + "\n".join(map(_step, blocks)), encoding="utf-8")
    return subprocess.run(
        # Whoever runs the tests in the background has them ignore interrupts, and all they start with them.
        ["env", "--default-signal=INT", "bash", str(script)],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=1200,
        check=False,
    )


def _step(block: Block) -> str:
    mark = f"echo '{MARK}{block.document}:{block.line}'\n"
    if block.language == "python":
        return f"{mark}python - <<'PYTHON_BLOCK'\n{block.body}PYTHON_BLOCK\n"
    if block.in_background:
        return (
            # With job control, as at a prompt: without it what runs in the background ignores interrupts, and so
            # does Dagster then when it is told to end.
            f"{mark}set -m\nbash -c '{block.body}' > background.log 2>&1 &\nbackground=$!\nset +m\n"
            f"python -c '{_WAIT_FOR_PORT}' \"$PORT\" || {{ cat background.log; exit 1; }}\n"
            # Ctrl-C; where a part of it missed that, as Dagster's may while it starts, it is told again.
            "for signal in INT TERM TERM KILL; do\n"
            '  kill "-$signal" -- "-$background" 2>/dev/null || true\n'
            '  timeout 40 tail --pid="$background" -f /dev/null && break\n'
            "done\n"
            'test "$signal" != KILL || { cat background.log; exit 1; }\n'
            'wait "$background" || true\n'
        )
    if block.exit_code:
        return f"{mark}code=0\n{{\n{block.body}}} || code=$?\ntest $code -eq {block.exit_code}\n"
    return mark + block.body
