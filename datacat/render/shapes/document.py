"""What every shape is: an object of JSON."""

from __future__ import annotations

Document = dict[str, object]
