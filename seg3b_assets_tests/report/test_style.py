"""The style sheet defines every colour that the page and its figures name, in light and in dark."""

import re
from pathlib import Path

import seg3b_assets.report as package
from seg3b_assets.report.style import STYLE


def test_every_colour_that_is_named_is_defined_in_light_and_dark() -> None:
    sources = "".join(path.read_text() for path in Path(package.__file__).parent.glob("*.py"))
    named = set(re.findall(r"var\((--[a-z0-9-]+)\)", sources)) | {"--gate", "--grid", "--muted"}
    light = re.search(r":root\{color-scheme:light;([^}]*)\}", STYLE)
    dark = re.search(r"color-scheme:dark;([^}]*)\}", STYLE)
    assert light is not None
    assert dark is not None
    defined = [set(re.findall(r"(?:^|;|\n)(--[a-z0-9-]+):", block[1])) for block in (light, dark)]
    assert named <= defined[0]
    assert defined[0] == defined[1]
