"""Run a command under a limit of time and of memory, and tell on a descriptor how it ended.

A program of its own, and one that imports next to nothing: what the kernel says of a child's greatest memory begins
with what its parent held.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

_LOOK_S = 0.05


def main() -> int:
    """Arguments: seconds, megabytes, descriptor, command and its arguments."""
    seconds, megabytes, told = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    command = sys.argv[4:]
    os.set_inheritable(told, False)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    held, why, status, usage = 0.0, "", None, None
    while status is None:
        done, found, used = os.wait4(child, os.WNOHANG)
        if done:
            status, usage = found, used
            break
        held = max(held, sum(_megabytes(each) for each in _family(child)))
        if not why and held > megabytes:
            why = "memory"
        elif not why and time.monotonic() - started > seconds:
            why = "time"
        if why:
            _kill(child)
        time.sleep(_LOOK_S)
    _kill(child)  # what it left behind
    report = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": max(held, usage.ru_maxrss / 1024),
        "ended_by": why,
    }
    os.write(told, json.dumps(report).encode())
    return 0


def _family(process: int) -> list[int]:
    found, waiting = [], [process]
    while waiting:
        each = waiting.pop()
        found.append(each)
        try:
            with open(f"/proc/{each}/task/{each}/children") as file:  # noqa: PTH123 - pathlib is not for free
                waiting += [int(word) for word in file.read().split()]
        except OSError:
            continue
    return found


def _megabytes(process: int) -> float:
    """Proportional set size: pages that processes share are counted once."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:  # noqa: PTH123 - as above
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
