"""The catalog's rules once more, as plainly as possible: dicts and no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ModelVersion:
    message: str
    sources: list[tuple[int, int]]
    params: dict[str, Any]
    metrics: dict[str, Any]
    manifest: str
    trashed: int | None = None


@dataclass
class ModelDataset:
    name: str
    owner: str
    description: str = ""
    tags: set[str] = field(default_factory=set)
    aliases: dict[str, int] = field(default_factory=dict)
    better: dict[str, str] = field(default_factory=dict)
    versions: dict[int, ModelVersion] = field(default_factory=dict)


class Model:
    """What a store's catalog is after some operations, each given as a dict."""

    def __init__(self) -> None:
        self.seq = 0
        self.names: dict[str, int] = {}
        self.datasets: dict[int, ModelDataset] = {}
        self.txids: set[str] = set()
        self.condemned: dict[str, int | None] = {}
        self.void: set[int] = set()

    def find(self, name: str) -> ModelDataset | None:
        return self.datasets[self.names[name]] if name in self.names else None

    def next_number(self, name: str) -> int:
        found = self.find(name)
        return len(found.versions) + 1 if found else 1

    def apply(self, op: dict[str, Any] | None) -> None:
        self.seq += 1
        if op is None or not self.follows_rules(op):
            self.void.add(self.seq)
            return
        self.txids.add(op["txid"])
        getattr(self, op["op"].replace(".", "_"))(op)

    def follows_rules(self, op: dict[str, Any]) -> bool:
        if op["seq"] != self.seq or op["txid"] in self.txids:
            return False
        if (op["op"] == "store.create") != (self.seq == 1):
            return False
        return bool(getattr(self, "may_" + op["op"].replace(".", "_"))(op))

    def may_store_create(self, op: dict[str, Any]) -> bool:
        return True

    def store_create(self, op: dict[str, Any]) -> None:
        pass

    def exists(self, ref: str) -> bool:
        name, _, number = ref.partition("@v")
        found = self.find(name)
        return found is not None and int(number) in found.versions

    def may_version_add(self, op: dict[str, Any]) -> bool:
        base = op["base_version"]
        return (
            op["number"] == self.next_number(op["dataset"])
            and all(self.exists(source) for source in op["sources"])
            and (base is None or self.exists(f"{op['dataset']}@v{base}"))
            and op["manifest"] not in self.condemned
        )

    def version_add(self, op: dict[str, Any]) -> None:
        found = self.find(op["dataset"])
        if found is None:
            found = self.datasets[self.seq] = ModelDataset(op["dataset"], op["by"])
            self.names[op["dataset"]] = self.seq
        sources = [source.partition("@v") for source in op["sources"]]
        found.versions[op["number"]] = ModelVersion(
            op["message"],
            [(self.names[name], int(number)) for name, _, number in sources],
            dict(op["params"]),
            dict(op["metrics"]),
            op["manifest"],
        )
        found.tags |= set(op["tags"])
        for alias in op["aliases"]:
            found.aliases[alias] = op["number"]
        found.better |= op["better"]

    def may_version_remove(self, op: dict[str, Any]) -> bool:
        found = self.find(op["dataset"])
        return (
            found is not None
            and len(set(op["numbers"])) == len(op["numbers"])
            and all(n in found.versions for n in op["numbers"])
            and all(found.versions[n].trashed is None for n in op["numbers"])
        )

    def version_remove(self, op: dict[str, Any]) -> None:
        for number in op["numbers"]:
            self.found(op).versions[number].trashed = self.seq

    def may_version_restore(self, op: dict[str, Any]) -> bool:
        found = self.find(op["dataset"])
        return (
            found is not None
            and len(set(op["numbers"])) == len(op["numbers"])
            and all(n in found.versions for n in op["numbers"])
            and all(found.versions[n].trashed is not None for n in op["numbers"])
            and all(found.versions[n].manifest not in self.condemned for n in op["numbers"])
        )

    def version_restore(self, op: dict[str, Any]) -> None:
        for number in op["numbers"]:
            self.found(op).versions[number].trashed = None

    def may_alias_set(self, op: dict[str, Any]) -> bool:
        found = self.find(op["dataset"])
        if found is None:
            return False
        if op["number"] is None:
            return op["alias"] in found.aliases
        version = found.versions.get(op["number"])
        return version is not None and version.trashed is None

    def alias_set(self, op: dict[str, Any]) -> None:
        if op["number"] is None:
            del self.found(op).aliases[op["alias"]]
        else:
            self.found(op).aliases[op["alias"]] = op["number"]

    def may_dataset_edit(self, op: dict[str, Any]) -> bool:
        found = self.find(op["dataset"])
        return found is not None and (op["number"] is None or op["number"] in found.versions)

    def dataset_edit(self, op: dict[str, Any]) -> None:
        found = self.found(op)
        found.description = op["description"] or found.description
        found.owner = op["owner"] or found.owner
        found.tags = found.tags - set(op["remove_tags"]) | set(op["add_tags"])
        said = found.better | op["better"]
        found.better = {key: better for key, better in said.items() if better is not None}
        if op["number"] is not None:
            version = found.versions[op["number"]]
            version.message = op["message"] if op["message"] is not None else version.message
            for values, new in ((version.params, "params"), (version.metrics, "metrics")):
                values.update(op[new])
                for key in [key for key, value in op[new].items() if value is None]:
                    del values[key]

    def may_dataset_rename(self, op: dict[str, Any]) -> bool:
        found = self.find(op["dataset"])
        taken = self.find(op["new_name"])
        return found is not None and op["new_name"] != found.name and taken in (None, found)

    def dataset_rename(self, op: dict[str, Any]) -> None:
        self.found(op).name = op["new_name"]
        self.names[op["new_name"]] = self.names[op["dataset"]]

    def may_containers_condemn(self, op: dict[str, Any]) -> bool:
        return True

    def containers_condemn(self, op: dict[str, Any]) -> None:
        for name in op["names"]:
            self.condemned.setdefault(name, None)

    def may_containers_swept(self, op: dict[str, Any]) -> bool:
        return True

    def containers_swept(self, op: dict[str, Any]) -> None:
        for name in op["names"]:
            if name in self.condemned:
                self.condemned[name] = self.seq

    def found(self, op: dict[str, Any]) -> ModelDataset:
        return self.datasets[self.names[op["dataset"]]]
