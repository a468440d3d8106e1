"""datacat: versioned datasets for a team, on the shared drive you already have.

`open_store` gives a `Store`, whose methods are the commands. Everything here is imported when it
is first used, so that `import datacat` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from datacat.errors import (
        Cancelled,
        Conflict,
        Corrupt,
        DatacatError,
        Failed,
        FormatTooNew,
        InvalidInput,
        NoStore,
        NotFound,
        OutcomeUnknown,
        ReadOnly,
        Refused,
        StorageDenied,
        StorageError,
        StorageFull,
        StorageMissing,
        StorageTransient,
    )
    from datacat.errors import DatacatError as Error
    from datacat.front import doctor, open_store
    from datacat.handles.file import OpenFile
    from datacat.handles.run import Run, current_run, run
    from datacat.handles.verbs import (
        add,
        connect,
        diff,
        log,
        ls,
        open,  # noqa: A004
        path,
        pull,
        show,
        status,
    )
    from datacat.handles.version import OpenVersion
    from datacat.inside.answer import Answer, AnswerColumn
    from datacat.inside.connection import Connection
    from datacat.inside.preview import Preview
    from datacat.model import (
        AddResult,
        Adoption,
        AliasChange,
        AliasInfo,
        Better,
        Change,
        ChangeKind,
        Changes,
        Check,
        CheckState,
        CloneResult,
        Code,
        Collected,
        Collection,
        Contents,
        CopiedVersion,
        Copy,
        CopyGroup,
        CopyPlace,
        CopyResult,
        Damage,
        Dataset,
        DatasetDiskUse,
        Diagnosis,
        Diff,
        DiskUse,
        Edge,
        Edit,
        EditResult,
        FileInfo,
        FoundFile,
        GroupKind,
        Kept,
        Kind,
        LastPull,
        Layout,
        LeftOut,
        Lineage,
        LineageWarning,
        LinkMode,
        Listing,
        LogEntry,
        Mend,
        Origin,
        Parameters,
        Periods,
        PullResult,
        Relation,
        Removal,
        RenameResult,
        Repair,
        Restored,
        SaveAs,
        ScanResult,
        Shown,
        Similar,
        SimilarFound,
        StatusEntry,
        StoreInfo,
        Undone,
        Unsaved,
        VerifyLevel,
        VerifyResult,
        Version,
        Waiting,
        WarningKind,
        Words,
    )
    from datacat.opened import Client
    from datacat.store import Store

__all__ = [
    "AddResult",
    "Adoption",
    "AliasChange",
    "AliasInfo",
    "Answer",
    "AnswerColumn",
    "Better",
    "Cancelled",
    "Change",
    "ChangeKind",
    "Changes",
    "Check",
    "CheckState",
    "Client",
    "CloneResult",
    "Code",
    "Collected",
    "Collection",
    "Conflict",
    "Connection",
    "Contents",
    "CopiedVersion",
    "Copy",
    "CopyGroup",
    "CopyPlace",
    "CopyResult",
    "Corrupt",
    "Damage",
    "DatacatError",
    "Dataset",
    "DatasetDiskUse",
    "Diagnosis",
    "Diff",
    "DiskUse",
    "Edge",
    "Edit",
    "EditResult",
    "Error",
    "Failed",
    "FileInfo",
    "FormatTooNew",
    "FoundFile",
    "GroupKind",
    "InvalidInput",
    "Kept",
    "Kind",
    "LastPull",
    "Layout",
    "LeftOut",
    "Lineage",
    "LineageWarning",
    "LinkMode",
    "Listing",
    "LogEntry",
    "Mend",
    "NoStore",
    "NotFound",
    "OpenFile",
    "OpenVersion",
    "Origin",
    "OutcomeUnknown",
    "Parameters",
    "Periods",
    "Preview",
    "PullResult",
    "ReadOnly",
    "Refused",
    "Relation",
    "Removal",
    "RenameResult",
    "Repair",
    "Restored",
    "Run",
    "SaveAs",
    "ScanResult",
    "Shown",
    "Similar",
    "SimilarFound",
    "StatusEntry",
    "StorageDenied",
    "StorageError",
    "StorageFull",
    "StorageMissing",
    "StorageTransient",
    "Store",
    "StoreInfo",
    "Undone",
    "Unsaved",
    "VerifyLevel",
    "VerifyResult",
    "Version",
    "Waiting",
    "WarningKind",
    "Words",
    "__version__",
    "add",
    "connect",
    "current_run",
    "diff",
    "doctor",
    "log",
    "ls",
    "open",
    "open_store",
    "path",
    "pull",
    "run",
    "show",
    "status",
]

_ELSEWHERE = {
    "Answer": "datacat.inside.answer",
    "AnswerColumn": "datacat.inside.answer",
    "Client": "datacat.opened",
    "Connection": "datacat.inside.connection",
    "OpenFile": "datacat.handles.file",
    "OpenVersion": "datacat.handles.version",
    "Run": "datacat.handles.run",
    "Preview": "datacat.inside.preview",
    "Store": "datacat.store",
    "current_run": "datacat.handles.run",
    "doctor": "datacat.front",
    "open_store": "datacat.front",
    "run": "datacat.handles.run",
    **dict.fromkeys(
        ("add", "connect", "diff", "log", "ls", "open", "path", "pull", "show", "status"),
        "datacat.handles.verbs",
    ),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'datacat' has no attribute {name!r}")
    from importlib import import_module

    if name == "Error":
        found = import_module("datacat.errors").DatacatError
    elif name in _ELSEWHERE:
        found = getattr(import_module(_ELSEWHERE[name]), name)
    else:
        model, errors = import_module("datacat.model"), import_module("datacat.errors")
        found = getattr(model if hasattr(model, name) else errors, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
