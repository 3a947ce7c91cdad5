"""Version of the audit: whoever changes what is checked raises it. It is S5's code version, and in what S5 seals."""

from __future__ import annotations

from typing import Final

AUDIT_VERSION: Final = "2.7.0"
