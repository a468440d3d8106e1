"""`UPath("datacat://cmr@v3/labels.csv")`, for programs that hold paths as objects.

Made by universal_pathlib, which finds this class by its entry point.
"""

from __future__ import annotations

from upath import UPath


class DatacatPath(UPath):
    """A file or folder of a version. Read-only; links and names are those of the file system."""

    __slots__ = ()
