"""The facts that travel between layers, as frozen dataclasses. Sizes are bytes, times are UTC."""

from datacat.model.collection import Collected, Collection, Periods, Waiting
from datacat.model.dataset import (
    Better,
    Changes,
    Code,
    Contents,
    Dataset,
    FileInfo,
    Kind,
    Listing,
    LogEntry,
    Scalar,
    Shown,
    Version,
)
from datacat.model.duplicates import CopyGroup, CopyPlace, GroupKind, LeftOut, ScanResult
from datacat.model.folder import (
    AddResult,
    Change,
    ChangeKind,
    Diff,
    PullResult,
    StatusEntry,
    Unsaved,
)
from datacat.model.health import Damage, DatasetDiskUse, DiskUse, VerifyResult
from datacat.model.lineage import Edge, Lineage, LineageWarning, WarningKind
from datacat.model.organise import AliasChange, AliasInfo, Edit, EditResult, RenameResult
from datacat.model.place import (
    TRASH_DAYS,
    InitResult,
    Layout,
    LinkMode,
    Parameters,
    StoreInfo,
)
from datacat.model.team import Copy
from datacat.model.trash import Removal, Restored

__all__ = [
    "TRASH_DAYS",
    "AddResult",
    "AliasChange",
    "AliasInfo",
    "Better",
    "Change",
    "ChangeKind",
    "Changes",
    "Code",
    "Collected",
    "Collection",
    "Contents",
    "Copy",
    "CopyGroup",
    "CopyPlace",
    "Damage",
    "Dataset",
    "DatasetDiskUse",
    "Diff",
    "DiskUse",
    "Edge",
    "Edit",
    "EditResult",
    "FileInfo",
    "GroupKind",
    "InitResult",
    "Kind",
    "Layout",
    "LeftOut",
    "Lineage",
    "LineageWarning",
    "LinkMode",
    "Listing",
    "LogEntry",
    "Parameters",
    "Periods",
    "PullResult",
    "Removal",
    "RenameResult",
    "Restored",
    "Scalar",
    "ScanResult",
    "Shown",
    "StatusEntry",
    "StoreInfo",
    "Unsaved",
    "VerifyResult",
    "Version",
    "Waiting",
    "WarningKind",
]
