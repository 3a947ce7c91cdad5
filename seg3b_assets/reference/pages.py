"""The reference pages, each written from what the code and the contracts say, so that none of them can lag behind.

So are the two short installs of the consumer's page: what reading and what verifying a run import, and nothing else.
The packages are found in the code. From a door on (``seg3b_assets.consume`` and ``seg3b sample``; ``seg3b verify``),
imports at the top of a module are followed wherever they lead, imports inside functions only in the door's own modules,
which load what they need when a command runs.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import typer
import typer.main
import yaml
from typer.cli import get_docs_for_click

from seg3b_assets.audit.checks import check_specs
from seg3b_assets.audit.findings import CheckSpec
from seg3b_assets.audit.verification import verify_specs
from seg3b_assets.cli import app
from seg3b_assets.contracts import DatasetContract, all_contracts
from seg3b_assets.contracts.artefact_registry import registry_document
from seg3b_assets.contracts.schemas import Schema, referenced
from seg3b_assets.laws.errors import ANY_STATE, OF_STATE
from seg3b_assets.realism.reference_tier.pooling import POOLED_METRICS
from seg3b_assets.realism.reference_tier.registry import REFERENCE_METRICS
from seg3b_assets.realism.registry import SEED_METRICS
from seg3b_assets.reference.markdown import code, page, table
from seg3b_assets.reference.policy_page import shipped_values
from seg3b_assets.settings import REPOSITORY

_HEAD: Final = """\
# Every artefact of segment 3B by manifest key. Generated: `make docs` writes it, a test holds it.
#
# logical_id  what published documents call it; own_id what files, assets and plans of this segment call it
# path        template relative to a tree's root, an upstream root, or the policy folder
# published   whether the layer publishes the key; the others are this segment's own
"""

_PACKAGE: Final = "seg3b_assets"
_COMMANDS: Final = (f"{_PACKAGE}.cli", f"{_PACKAGE}.cli.options", f"{_PACKAGE}.cli.reporting")
# Read as data, by its resources: the zones of the pinned tz database.
_DATA: Final = frozenset({"tzdata"})
DOORS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "read": (*_COMMANDS, f"{_PACKAGE}.consume", f"{_PACKAGE}.cli.sample"),
        "verify": (*_COMMANDS, f"{_PACKAGE}.cli.verify"),
    }
)
_LINE: Final = re.compile(r"(?<=^<!-- install: )(?P<door>\w+)( -->\n```console\n)[^\n]*", re.MULTILINE)


def registry_file() -> str:
    """The file's text."""
    document: dict[str, Any] = registry_document()
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=160, allow_unicode=True)


_COMMANDS_INTRO: Final = (
    "`seg3b COMMAND --help` says the same. Exit codes: 0 pass, 1 a realism gate failed, 2 usage,\n"
    "3 structural error."
)


def command_page() -> str:
    """The page's text."""
    command = typer.main.get_command(app)
    documented = get_docs_for_click(obj=command, ctx=typer.Context(command), name="seg3b")
    return page("Commands", _COMMANDS_INTRO, documented.strip())


_CHECKS_INTRO: Final = (
    "What the audit checks: the law behind each check, the error of its kind, and its likely cause. S5 makes those\n"
    "of the first table before it seals; `seg3b verify` makes all of them. Below, every error code of the segment."
)


def check_page() -> str:
    """The page's text."""
    audited = check_specs()
    around = [spec for spec in verify_specs() if spec not in audited]
    codes = table(
        ("state", "codes"),
        (
            ("any", ", ".join(code(f"E3B_S{{n}}_{name}") for name in sorted(ANY_STATE))),
            *(
                (state, ", ".join(code(f"E3B_{state}_{name}") for name in sorted(names)))
                for state, names in OF_STATE.items()
                if names
            ),
        ),
    )
    return page(
        "Audit checks and error codes",
        _CHECKS_INTRO,
        "## Checks of a run\n",
        _checks(audited),
        "## Checks of an exported tree and its bundle\n",
        _checks(around),
        "## Error codes\n",
        codes,
    )


def _checks(specs: Iterable[CheckSpec]) -> str:
    return table(
        ("check", "law", "error", "likely cause"),
        (
            (code(spec.check_id), spec.law, code(f"E3B_S5_{spec.code}"), spec.likely_cause)
            for spec in sorted(specs, key=lambda spec: spec.check_id)
        ),
    )


_CONTRACTS_INTRO: Final = (
    "Every dataset by who makes it, from `contracts/dataset_dictionary.yaml` and `contracts/*.schema.json`. Paths\n"
    "are relative to a tree's root; `{…}` are filled from the run's identity. Dtypes are polars'. A column that may\n"
    "be null says so; no other is."
)
_GROUPS: Final = {
    "S0": "S0: gate and sealed inputs",
    "S1": "S1: classification and settlement",
    "S2": "S2: edges and their evidence",
    "S3": "S3: alias tables",
    "S4": "S4: routing policy and validation contract",
    "S5": "S5: bundle and flag",
    "certification": "Certification",
    "upstream": "Upstream: what the segment reads",
    "export": "Export: what an exported tree has besides",
}


def contract_page() -> str:
    """The page's text."""
    sections = []
    for producer, title in _GROUPS.items():
        sections.append(f"## {title}\n")
        sections += [_dataset(one) for one in all_contracts().values() if one.producer == producer]
    return page("Datasets", _CONTRACTS_INTRO, *sections)


def _dataset(declared: DatasetContract) -> str:
    facts = [
        ("path", code(declared.path + (declared.files if declared.path.endswith("/") else ""))),
        ("format", declared.format),
        ("keys", ", ".join(map(code, declared.keys))),
        ("order", ", ".join(map(code, declared.sort))),
        ("read by", ", ".join(declared.consumers)),
        ("schema", f"[{declared.schema_file}](../../contracts/{declared.schema_file})"),
    ]
    lines = "\n".join(f"- {name}: {value}" for name, value in facts if value)
    return f"### {declared.id}\n\n{declared.description}\n\n{lines}\n\n{_fields(declared)}"


def _fields(declared: DatasetContract) -> str:
    if declared.is_table:
        return table(
            ("column", "dtype", "unit", "null", "meaning"),
            (
                (code(name), dtype, unit, "yes" if nullable else "", meaning)
                for name, dtype, unit, meaning, nullable in declared.describe_columns()
            ),
        )
    schema = declared.schema.get("items", declared.schema)
    properties: dict[str, Schema] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    return table(
        ("key", "type", "required", "meaning"),
        (
            (code(name), _type(part), "yes" if name in required else "", part.get("description"))
            for name, part in properties.items()
        ),
    )


def _type(part: Schema) -> str:
    """What a key holds, in a word or two."""
    options: list[Schema] = part.get("anyOf") or part.get("oneOf") or []
    if options:
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        try:
            return f"{_type(referenced(part['$ref']))} ({name})"
        except ValueError:
            return str(name)
    if "const" in part:
        return code(part["const"])
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"])
    kind = part.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


_METRICS_INTRO: Final = (
    "Every metric of one seed, from the registry that checks, contract, certification and report all read, and\n"
    "the gates the shipped policies hold them to. Why the bounds stand where they stand, and what would game them,\n"
    "is in [realism](../realism.md)."
)


def metric_page() -> str:
    """The page's text."""
    metrics = table(
        ("metric", "definition", "unit", "better", "state", "by class", "columns"),
        (
            (
                code(metric.name),
                metric.definition,
                metric.unit,
                metric.direction,
                metric.state,
                "yes" if metric.by_class else "",
                ", ".join(map(code, metric.fields)),
            )
            for metric in SEED_METRICS
        ),
    )
    reasons = table(
        ("metric", "gates", "why it is looked at", "what a gate on it cannot see"),
        (
            (code(metric.name), ", ".join(_gates_of(metric.name)), metric.purpose, metric.blind_to)
            for metric in SEED_METRICS
        ),
    )
    return page(
        "Metrics and gates",
        _METRICS_INTRO,
        "## Hard gates (B)\n",
        _gates(shipped_values("virtual_validation")["hard_gates"]),
        "## Stretch gates (B+)\n",
        _gates(shipped_values("certification")["stretch_gates"]),
        "## Reference gates (A+)\n",
        _reference_gates(),
        "## Why, and what it cannot see\n",
        reasons,
        "## Metrics\n",
        metrics,
        "## Metrics of the reference tier\n",
        table(
            ("metric", "definition", "unit", "state", "lane"),
            (
                (code(metric.name), metric.definition, metric.unit, metric.state, metric.lane)
                for metric in (*REFERENCE_METRICS.values(), *POOLED_METRICS.values())
            ),
        ),
    )


def _reference_gates() -> str:
    """Every part of every gate of the tier, and where its bounds are from."""
    gates = shipped_values("certification")["reference"]["gates"]
    return table(
        ("gate", "metric", "bound", "where the bounds are from", "strength"),
        (
            (
                f"{gate}{letter}",
                code(part["metric"]),
                bound(part["operator"], part["threshold"]),
                rule["source"],
                rule["strength"].replace("_", " "),
            )
            for gate, rule in gates.items()
            for letter, part in rule["parts"].items()
        ),
    )


def _gates_of(metric: str) -> list[str]:
    """Ids of the shipped gates that hold a metric, each once."""
    hard = shipped_values("virtual_validation")["hard_gates"]
    stretch = shipped_values("certification")["stretch_gates"]
    named = [gate for gate, rule in hard.items() if rule["metric"] == metric]
    return list(
        dict.fromkeys((*named, *(gate for gate, rule in stretch.items() if metric in rule["metrics"])))
    )


def _gates(gates: dict[str, dict[str, Any]]) -> str:
    return table(
        ("gate", "metric", "bound"),
        (
            (
                gate,
                ", ".join(map(code, declared.get("metrics") or [declared["metric"]])),
                bound(declared["operator"], declared["threshold"]),
            )
            for gate, declared in gates.items()
        ),
    )


def bound(operator: str, threshold: Any) -> str:
    """A gate's bound in words."""
    if operator == "range":
        return f"{threshold[0]:g} to {threshold[1]:g}"
    if operator == "bool_true":
        return "true"
    return f"{ {'>=': '≥', '<=': '≤'}[operator] } {threshold:g}"


def packages(door: str) -> frozenset[str]:
    """Importable names of everything from elsewhere that a door needs."""
    return _reached(DOORS[door]) | _DATA


def install_line(door: str) -> str:
    """The commands that install it, on one line; versions as this package requires them."""
    required = _requirements()
    distributions = importlib.metadata.packages_distributions()
    names = sorted({_normal(distributions[package][0]) for package in packages(door)})
    # What we do not require ourselves comes with something that we do: pydantic-core with pydantic.
    wanted = " ".join(_quoted(required[name]) for name in names if name in required)
    return f"pip install --no-deps seg3b-assets && pip install {wanted}"


def with_installs(page: str) -> str:
    """A page with its install lines as they should be: those in blocks under ``<!-- install: DOOR -->``."""
    return _LINE.sub(lambda found: f"{found['door']}{found[2]}$ {install_line(found['door'])}", page)


def _requirements() -> dict[str, str]:
    """What the product requires without extras, by normalised name."""
    listed = [line for line in importlib.metadata.requires("seg3b-assets") or () if ";" not in line]
    return {_normal(re.split(r"[<>=!~\[ ]", line, maxsplit=1)[0]): line for line in listed}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _quoted(requirement: str) -> str:
    return f"'{requirement}'" if re.search(r"[<>]", requirement) else requirement


def _reached(doors: tuple[str, ...]) -> frozenset[str]:
    """Names of other packages in the closure of the doors' imports."""
    waiting, seen, found = [*doors], set[str](), set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in _imports(module, inside=module in doors):
            if name.split(".")[0] == _PACKAGE:
                waiting.append(name)
            else:
                found.add(name.split(".")[0])
    return frozenset(found)


@cache
def _imports(module: str, inside: bool) -> tuple[str, ...]:
    """Modules that a module of ours imports, its parent packages among them, and no standard ones."""
    file = _file(module)
    if file is None:
        return ()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    parts = module.split(".")
    parents = [".".join(parts[:count]) for count in range(1, len(parts))]
    return (*parents, *_foreign_or_ours(tree.body, inside))


def _foreign_or_ours(body: list[ast.stmt], inside: bool) -> Iterator[str]:
    for node in _statements(body, inside):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [base, *(f"{base}.{name}" for name in names if _file(f"{base}.{name}"))]
        yield from (name for name in names if name.split(".")[0] not in sys.stdlib_module_names)


def _statements(body: list[ast.stmt], inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _statements(node.orelse, inside)
        elif inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(
                [kid for kid in ast.iter_child_nodes(node) if isinstance(kid, ast.stmt)], inside
            )


def _file(module: str) -> Path | None:
    """The source of a module of ours."""
    if module.split(".", maxsplit=1)[0] != _PACKAGE:
        return None
    path = REPOSITORY.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)
