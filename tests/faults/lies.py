"""Ways to hurt a store: what a malicious writer says in a segment, a manifest or a record.

Each takes the store and a source of chance, and returns the keys that are not what they were.
"""

from __future__ import annotations

import random

import msgspec

from datacat.catalog.record import VersionAdd
from tests.faults.accidents import DATA, Keys
from tests.faults.forged import Forger
from tests.faults.mutable import MutableStore


def _chunk(chance: random.Random) -> str:
    """SQL that chooses one row of the table `t`, or a few, or all."""
    few = f"rowid % 3 = {chance.randrange(3)}"
    one = f"rowid = (select {chance.randrange(1 << 30)} % count(*) from t)"
    return chance.choice((one, one, one, few, "true"))


def _other(chance: random.Random, column: str) -> str:
    """SQL of a value that another row has."""
    return f"(select {column} from t offset {chance.randrange(5)} limit 1)"


_NUMBERS = (
    0,
    1,
    -1,
    7,
    255,
    4097,
    1 << 20,
    (1 << 20) + 1,
    1 << 40,
    1 << 53,
    1 << 62,
    (1 << 63) - 1,
)

_NAMES = (
    "../../../../etc/passwd",
    "/etc/passwd",
    "whole/../../etc/passwd",
    "packs/00/../../store.json",
    "store.json",
    "",
    "packs/00/" + "0" * 32 + "-0.pack",
    "packs/00/" + "0" * 32 + "-0.pack\n",
    "whole/00/" + "0" * 64 + "-" + "0" * 32,
    "segments/" + "0" * 32 + ".chunks.parquet",
    "tmp/x",
    "packs/é/" + "x" * 70_000,
)


def _segment(store: MutableStore, chance: random.Random, relation: str, *sql: str) -> Keys:
    forger = Forger(store.store)
    return {forger.alter(relation, chance.choice(forger.seqs(relation)), *sql)}


def chunk_number(store: MutableStore, chance: random.Random) -> Keys:
    """Sizes and offsets that are negative, huge, or just wrong."""
    where = _chunk(chance)
    column = chance.choice(('"offset"', "size", "stored_size", "both"))
    change = chance.choice(("{n}", "{c}::hugeint + {n}", "{other}"))
    small = chance.choice((*_NUMBERS, *(1, 1, -1, 7)))
    sets = []
    for name in ("size", "stored_size") if column == "both" else (column,):
        value = change.format(n=small, c=name, other=_other(chance, name))
        sets.append(
            f"{name} = least(greatest(({value})::hugeint, -(2::hugeint**63)::hugeint),"
            " 9223372036854775807::hugeint)::bigint"
        )
    statements = [f"update t set {', '.join(sets)} where {where}"]
    if chance.random() < 0.7:
        # As many checksums as the rule wants, unless that is too many to write.
        statements.append(
            "update t set checksums = repeat(checksums[1:8], greatest(1, (stored_size + 1048575)"
            " // 1048576)::bigint) where stored_size between 1 and 17179869184"
        )
    return _segment(store, chance, "chunks", *statements)


def chunk_place(store: MutableStore, chance: random.Random) -> Keys:
    """Names of containers that are of another kind, lead out of the store, or are other ones."""
    every = [repr(name).replace("\\n", "\n") for name in _NAMES]
    real = [f"'{key}'" for kind in DATA for key in store.keys[kind]]
    name = chance.choice(every + real + real)
    return _segment(
        store, chance, "chunks", f"update t set container = {name} where {_chunk(chance)}"
    )


def chunk_codec(store: MutableStore, chance: random.Random) -> Keys:
    codec = chance.choice(("'raw'", "'zstd'", "'lz4'", "''", "null", "repeat('z', 1000000)"))
    also = chance.choice(("", ", stored_size = size", ", reference = null"))
    return _segment(
        store, chance, "chunks", f"update t set codec = {codec}{also} where {_chunk(chance)}"
    )


def chunk_reference(store: MutableStore, chance: random.Random) -> Keys:
    """To itself, to what was made against something, to what is nowhere, to anything."""
    value = chance.choice(
        (
            "digest",
            "null",
            _other(chance, "digest"),
            _other(chance, "reference"),
            "digest[1:16]",
            "repeat('x', 32)::blob",
            "''::blob",
            f"from_hex('{chance.choice(sorted(store.places)).hex()}')",
        )
    )
    also = chance.choice(("", ", codec = 'zstd'"))
    return _segment(
        store, chance, "chunks", f"update t set reference = {value}{also} where {_chunk(chance)}"
    )


def chunk_checksums(store: MutableStore, chance: random.Random) -> Keys:
    value = chance.choice(
        (
            "''::blob",
            "null",
            "repeat(checksums, 2)",
            "repeat('x', 8)::blob",
            "checksums[1:7]",
            _other(chance, "checksums"),
            "repeat(checksums, 1000000)",
        )
    )
    return _segment(
        store, chance, "chunks", f"update t set checksums = {value} where {_chunk(chance)}"
    )


def chunk_digest(store: MutableStore, chance: random.Random) -> Keys:
    value = chance.choice(
        ("digest[1:31]", "digest[1:16]", "''::blob", "null", _other(chance, "digest"),
         "repeat('x', 32)::blob", f"from_hex('{chance.choice(sorted(store.places)).hex()}')")
    )  # fmt: skip
    return _segment(
        store, chance, "chunks", f"update t set digest = {value} where {_chunk(chance)}"
    )


def chunk_rows(store: MutableStore, chance: random.Random) -> Keys:
    """Fewer rows, more rows, a great many rows; two rows of which one is wrong."""
    where = _chunk(chance)
    extra = "insert into t select * replace ({}) from t where " + where
    change = chance.choice(
        (
            f"delete from t where {where}",
            "delete from t",
            extra.format("digest as digest"),
            extra.format('"offset" + 1 as "offset"'),
            extra.format("size + 1 as size"),
            extra.format("'packs/00/' || repeat('0', 32) || '-0.pack' as container"),
            "insert into t select t.* from t, range(100000)",
            "insert into t select s.* replace (substr(sha256(i::varchar), 1, 32)::blob as digest)"
            f" from (from t where {where}) s, range(30000) r(i)",
        )
    )
    return _segment(store, chance, "chunks", change)


def recipe(store: MutableStore, chance: random.Random) -> Keys:
    """Ordinals that are there twice, missing, negative or huge; chunks of all kinds."""
    where = _chunk(chance)
    change = chance.choice(
        (
            f"delete from t where {where}",
            "delete from t where ordinal = 0",
            "update t set ordinal = 0",
            "update t set ordinal = ordinal + 1",
            "update t set ordinal = -ordinal",
            "update t set ordinal = ordinal * 2",
            f"update t set ordinal = {chance.choice(_NUMBERS)} where {where}",
            f"update t set ordinal = null where {where}",
            "update t set ordinal = 1000 - ordinal",
            f"update t set chunk = object where {where}",
            f"update t set object = chunk where {where}",
            f"update t set chunk = {_other(chance, 'object')} where {where}",
            f"update t set chunk = {_other(chance, 'chunk')} where {where}",
            f"update t set object = {_other(chance, 'object')} where {where}",
            f"update t set chunk = repeat('x', 32)::blob where {where}",
            f"update t set chunk = chunk[1:16] where {where}",
            f"update t set chunk = null where {where}",
            f"update t set object = null where {where}",
            f"insert into t select * from t where {where}",
            f"insert into t select object, ordinal + 1, chunk from t where {where}",
            "insert into t select object, ordinal + 1000 * i, chunk from t, range(1, 9) r(i)",
            f"insert into t select distinct object, i, {_other(chance, 'chunk')}"
            " from t, range(1000000) r(i)",
            "insert into t select t.* from t, range(100000)",
            f"update t set chunk = from_hex('{chance.choice(sorted(store.places)).hex()}')"
            f" where {where}",
        )
    )
    return _segment(store, chance, "recipes", change)


def columns(store: MutableStore, chance: random.Random) -> Keys:
    """A table that is none of ours."""
    relation, of = chance.choice(
        (
            ("chunks", "digest, size, container"),
            ("chunks", "*, 1 as more"),
            ("chunks", "* replace (size::integer as size)"),
            ("chunks", "* replace (size::varchar as size)"),
            ("recipes", "object, chunk, ordinal"),
            ("recipes", "* replace ([ordinal] as ordinal)"),
            ("manifest", "* replace ({'a': size} as size)"),
            ("manifest", "path, kind, digest, size, executable, mtime_ns, target"),
        )
    )
    forger = Forger(store.store)
    return {forger.alter(relation, chance.choice(forger.seqs(relation)), select=of)}


def manifest(store: MutableStore, chance: random.Random) -> Keys:
    """Entries that a version cannot have, or that are not those of its tree digest."""
    where = chance.choice((_chunk(chance), "kind = 'file'", "kind = 'symlink'"))
    change = chance.choice(
        (
            f"update t set size = {chance.choice(_NUMBERS)} where {where}",
            f"update t set size = size + 1 where {where}",
            f"update t set size = {1 << 50} where kind = 'file'",
            f"update t set mtime_ns = {chance.choice(_NUMBERS)} where {where}",
            f"update t set mtime_ns = -{1 << 62} where {where}",
            f"update t set kind = '{chance.choice(('file', 'dir', 'symlink', 'fifo', ''))}'"
            f" where {where}",
            f"update t set path = '{chance.choice(_PATHS)}' where {where}",
            "update t set path = '../' || path",
            "update t set path = '/tmp/' || path",
            "update t set path = 'link/' || path where kind = 'file'",
            f"update t set path = {_other(chance, 'path')} where {where}",
            f"update t set target = '{chance.choice(_PATHS)}' where {where}",
            f"update t set digest = {_other(chance, 'digest')} where {where}",
            f"update t set digest = digest[1:16] where {where}",
            f"update t set executable = not executable where {where}",
            f"update t set executable = null where {where}",
            f"delete from t where {where}",
            "delete from t",
            "insert into t select * from t",
            "insert into t select t.* replace (path || i as path) from t, range(2000) r(i)",
        )
    )
    forger = Forger(store.store)
    seq = chance.choice(forger.seqs("manifest"))
    tree = chance.random() < 0.7
    if tree:
        store.other_trees.add(seq)
    return {forger.alter("manifest", seq, change, tree=tree)}


_PATHS = (
    "..", ".", "", "/", "a//b", "a/../b", "x" * 300, "x" * 70_000, ".datacat/copy.json",
    "a" + "/a" * 3000, "tab\tnewline\n", "con", "a\x7f", "..\\x", "a.raw/inside", "link/inside",
)  # fmt: skip


def numbers(store: MutableStore, chance: random.Random) -> Keys:
    """A record whose numbers are the largest there are."""
    forger = Forger(store.store)
    records = forger.records()
    names = ("files", "bytes", "new_bytes", "stored_bytes")
    for at, one in enumerate(records):
        if isinstance(one, VersionAdd) and chance.random() < 0.7:
            chosen = chance.sample(names, chance.randint(1, 4))
            huge = {name: chance.choice((0, (1 << 63) - 1)) for name in chosen}
            records[at] = msgspec.structs.replace(one, **huge)
    forger.write_log(records)
    return set(store.keys["record"])
