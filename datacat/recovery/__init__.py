"""What a store carries so that its data can be had without datacat: scripts, and how to use them.

The scripts are written into every store. They import nothing of datacat.
"""

from __future__ import annotations

from importlib import resources

from datacat import layout


def files() -> dict[str, bytes]:
    """Each file with its content."""
    folder = resources.files(__name__)
    return {name: (folder / name).read_bytes() for name in layout.RECOVERY}
