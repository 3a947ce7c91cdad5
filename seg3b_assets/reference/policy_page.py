"""The page of policies: every key with its type, allowed range and shipped value, from the models.

What a knob means in the world is said beside it, in the policy file's comments; this page says what it may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from seg3b_assets.policies import POLICY_MODELS, SEALED_POLICIES
from seg3b_assets.reference.markdown import code, page, table
from seg3b_assets.shipped import shipped

_INTRO: Final = (
    "Every key of every file in `policies/`: type, what is allowed, and the shipped value. What a key stands for\n"
    "is said in the file, beside it. A sealed policy's bytes are part of a world's identity: any change, a comment\n"
    "too, reruns S0 to S5. The certification policy is not sealed: a change there rescores and reruns no state."
)
_BOUNDS: Final = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
)
_SHOWN: Final = 60

Node = dict[str, Any]


def policy_page() -> str:
    """The page's text."""
    sections = []
    for policy_id, model in POLICY_MODELS.items():
        schema = model.model_json_schema()
        values = shipped_values(policy_id)
        sealed = "sealed" if policy_id in SEALED_POLICIES else "not sealed"
        meaning = (model.__doc__ or "").strip().splitlines()[0]
        rows = table(
            ("key", "type", "allowed", "shipped"),
            (
                (code(key), kind, allowed, _shown(_at(values, key)))
                for key, kind, allowed in _keys(schema, schema.get("$defs", {}), "")
            ),
        )
        file = f"[policies/{policy_id}.yaml](../../policies/{policy_id}.yaml), {sealed}"
        sections.append(f"## {policy_id}\n\n{meaning}\n\n{file}\n\n{rows}")
    return page("Policies", _INTRO, *sections)


def shipped_values(policy_id: str) -> Any:
    """The shipped file as YAML has it."""
    return yaml.safe_load(shipped(f"policies/{policy_id}.yaml").read_bytes())


def _keys(node: Node, defs: Node, prefix: str) -> Iterator[tuple[str, str, str]]:
    """(key, type, what is allowed) of every leaf; ``[]`` stands for each item, ``{}`` for each name."""
    node = _resolved(node, defs)
    if "properties" in node:
        for name, part in node["properties"].items():
            yield from _keys(part, defs, f"{prefix}.{name}" if prefix else name)
        return
    items = node.get("items")
    if isinstance(items, dict) and "properties" in _resolved(items, defs):
        yield from _keys(items, defs, f"{prefix}[]")
        return
    named = node.get("additionalProperties")
    if isinstance(named, dict):
        yield from _keys(named, defs, f"{prefix}.{{}}")
        return
    yield prefix, _kind(node, defs), _allowed(node, defs)


def _resolved(node: Node, defs: Node) -> Node:
    while "$ref" in node:
        node = {**defs[node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def _kind(node: Node, defs: Node) -> str:
    node = _resolved(node, defs)
    if options := node.get("anyOf"):
        return " or ".join(_kind(option, defs) for option in options)
    if "const" in node or "enum" in node:
        return "choice"
    if node.get("type") == "array":
        return "pair" if "prefixItems" in node else f"list of {_kind(node.get('items', {}), defs)}"
    return str(node.get("type", "any"))


def _allowed(node: Node, defs: Node) -> str:
    node = _resolved(node, defs)
    if options := node.get("anyOf"):
        return "; ".join(filter(None, (_allowed(option, defs) for option in options)))
    if "const" in node:
        return code(node["const"])
    if "enum" in node:
        return ", ".join(code(value) for value in node["enum"])
    if "words" in node:
        return str(node["words"])
    within: Node = node.get("items") or next(iter(node.get("prefixItems", ())), {})
    bounds = [words.format(_number(node[key])) for key, words in _BOUNDS if key in node]
    if "prefixItems" in node:
        bounds = []  # a pair always has two
    inner = _allowed(within, defs) if within else ""
    return "; ".join(filter(None, (", ".join(bounds), f"each {inner}" if inner else "")))


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _at(values: Any, key: str) -> Any:
    """The shipped value of a leaf; None where the key stands for many."""
    if "[]" in key or "{}" in key:
        return None
    for part in key.split("."):
        values = values.get(part) if values else None
    return values


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return code(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
