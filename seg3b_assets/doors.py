"""How a program of this project ends, whatever happened: its exit code, and no traceback that nobody asked for.

Exit codes: 0 pass, 1 a realism gate failed, 2 usage, 3 structural error, 130 interrupted, 141 nobody reads on. Python
itself ends with 1 after an exception that nobody caught, and libraries do after a broken pipe: here 1 is a verdict, so
every door (``seg3b``, ``python -m seg3b_assets.bench``, …) is opened by ``through_door``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

from seg3b_assets.laws.clipping import clipped_text
from seg3b_assets.terminal import complain, complain_of, guard_last_resort, say_json

EXIT_PASS, EXIT_REALISM, EXIT_USAGE, EXIT_STRUCTURAL = 0, 1, 2, 3
EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 130, 141  # as a shell tells of a program that SIGINT, SIGPIPE ended
DEBUG, AS_JSON = "--debug", "--json"
_DEFECT: Final = "This is a defect of seg3b; run again with --debug and report the traceback."
_PACKAGE: Final = "seg3b_assets"
# Libraries that read bytes, and how a panic of one in Rust is called.
_PARSERS: Final = frozenset({"polars", "pyarrow", "orjson", "pyo3_runtime", "shapely"})


def through_door(main: Callable[[], Any], arguments: list[str] | None = None) -> NoReturn:
    """Run a program and exit as this project's programs do.

    Args:
        main: the program; what it returns is its exit code, None is 0.
        arguments: of the command line; ``--debug`` shows tracebacks, ``--json`` has an error printed as JSON, too.
    """
    given = sys.argv[1:] if arguments is None else arguments
    guard_last_resort()
    try:
        code = _code_of(main)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BaseException as error:  # a parser that panics raises no Exception
        code = EXIT_BROKEN_PIPE if is_broken_pipe(error) else _unforeseen(error, given)
    if code == EXIT_BROKEN_PIPE:
        _let_go_of_stdout()
    sys.exit(code)


def is_broken_pipe(error: BaseException | None) -> bool:
    """Whether an error comes of nobody reading on; libraries turn that into an exit with code 1."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            return True
        error = error.__cause__ or error.__context__
    return False


def missing_package(error: BaseException) -> str | None:
    """The package an error says is not installed; None for any other error, and for a module of our own."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    name = error.name.split(".")[0]
    return None if name == _PACKAGE else name


def told(error: BaseException) -> tuple[dict[str, str], int]:
    """What is said of an error that no command foresaw, and the exit code."""
    detail = clipped_text(str(error))
    if name := missing_package(error):
        remedy = f"Install it: pip install {name}, or the whole product: pip install seg3b-assets"
        return {"code": "PACKAGE_MISSING", "place": name, "remedy": remedy, "detail": detail}, EXIT_USAGE
    if type(error).__module__.split(".")[0] in _PARSERS:
        return {
            "code": "DATA_UNREADABLE",
            "place": type(error).__name__,
            "remedy": "A file of the home, the cache or an input no longer holds what was written: seg3b doctor looks "
            "at them, and seg3b run --recompute makes those of the home again.",
            "detail": detail,
        }, EXIT_STRUCTURAL
    return {
        "code": "INTERNAL",
        "place": type(error).__name__,
        "remedy": _DEFECT,
        "detail": detail,
    }, EXIT_STRUCTURAL


def tell(record: dict[str, str]) -> None:
    """Say it on standard error."""
    complain(f"{record['code']} {record['place']}: {record['detail']}", f"  remedy: {record['remedy']}")


def _code_of(main: Callable[[], Any]) -> int:
    try:
        code = main()
    except SystemExit as ended:
        if ended.code == EXIT_REALISM and is_broken_pipe(ended.__context__):
            return EXIT_BROKEN_PIPE
        code = ended.code
    if code is None or isinstance(code, int):
        return int(code or 0)
    complain(str(code))  # as Python does with a text
    return EXIT_STRUCTURAL


def _unforeseen(error: BaseException, arguments: list[str]) -> int:
    record, code = told(error)
    if DEBUG in arguments:
        complain_of(error)
        return code
    if AS_JSON in arguments:
        say_json({"error": record})
    tell(record)
    return code


def _let_go_of_stdout() -> None:
    """What is still buffered goes nowhere; else the interpreter complains about it while it ends."""
    with contextlib.suppress(OSError, ValueError):  # a test's stand-in is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
