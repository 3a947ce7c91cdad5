"""A module as a program that ends with whoever started it, however that ended.

    python -m seg3b_assets.with_parent MODULE [ARGUMENT ...]

Linux sends the signal; elsewhere a program whose starter was killed outright is left running, as any is.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run the module in this process."""
    starter = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != starter:  # it ended before the kernel was told
            sys.exit(0)
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
