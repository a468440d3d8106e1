"""Ways to hurt a store: what a bad disk, a bad network or a bad copy does to its files.

Each takes the store and a source of chance, and returns the keys that are not what they were.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from tests.faults.mutable import MutableStore, remove

Keys = set[str]
Mutation = Callable[[MutableStore, random.Random], Keys]

DATA = ("pack", "whole")
DESCRIBED = ("manifest", "segment")
MOST = (*DATA, *DATA, *DESCRIBED, "pack", "record", "store")


def _victim(store: MutableStore, chance: random.Random, kinds: tuple[str, ...] = MOST) -> str:
    return chance.choice(store.keys[chance.choice(kinds)])


def _edit(
    store: MutableStore, chance: random.Random, change: Callable[[bytearray], object]
) -> Keys:
    key = _victim(store, chance)
    data = bytearray(store.files[key])
    change(data)
    put(store, key, bytes(data))
    return {key}


def put(store: MutableStore, key: str, data: bytes) -> None:
    remove(store.store / key)
    (store.store / key).write_bytes(data)


def flip(store: MutableStore, chance: random.Random) -> Keys:
    def change(data: bytearray) -> None:
        for _ in range(chance.choice((1, 1, 1, 2, 50))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)

    return _edit(store, chance, change)


def cut(store: MutableStore, chance: random.Random) -> Keys:
    def change(data: bytearray) -> None:
        del data[chance.choice((0, len(data) - 1, chance.randrange(len(data)))) :]

    return _edit(store, chance, change)


def append(store: MutableStore, chance: random.Random) -> Keys:
    return _edit(store, chance, lambda data: data.extend(chance.randbytes(chance.choice((1, 999)))))


def zero(store: MutableStore, chance: random.Random) -> Keys:
    def change(data: bytearray) -> None:
        start = chance.randrange(len(data))
        end = min(len(data), start + chance.choice((1, 64, 4096)))
        data[start:end] = bytes(end - start)

    return _edit(store, chance, change)


def swap_ranges(store: MutableStore, chance: random.Random) -> Keys:
    def change(data: bytearray) -> None:
        size = chance.randrange(1, max(2, len(data) // 3))
        one = chance.randrange(0, max(1, len(data) - 2 * size))
        two = chance.randrange(one + size, max(one + size + 1, len(data) - size))
        data[one : one + size], data[two : two + size] = (
            data[two : two + size],
            data[one : one + size],
        )

    return _edit(store, chance, change)


def duplicate(store: MutableStore, chance: random.Random) -> Keys:
    def change(data: bytearray) -> None:
        start = chance.randrange(len(data))
        data[start:start] = data[start : start + chance.choice((1, 100, len(data)))]

    return _edit(store, chance, change)


def grow(store: MutableStore, chance: random.Random) -> Keys:
    """Longer by more than memory, without taking any of the disk."""
    key = _victim(store, chance)
    os.truncate(store.store / key, len(store.files[key]) + (1 << chance.choice((1, 24, 36, 42))))
    return {key}


def delete(store: MutableStore, chance: random.Random) -> Keys:
    key = _victim(store, chance)
    remove(store.store / key)
    return {key}


def swap_files(store: MutableStore, chance: random.Random) -> Keys:
    kind = chance.choice((*DATA, *DESCRIBED, "record"))
    one, two = chance.sample(store.keys[kind], 2)
    put(store, one, store.files[two])
    put(store, two, store.files[one])
    return {one, two}


def replace(store: MutableStore, chance: random.Random) -> Keys:
    """The bytes of another file, of its kind or of any."""
    key = _victim(store, chance)
    put(store, key, store.files[_victim(store, chance)])
    return {key}


def not_a_file(store: MutableStore, chance: random.Random) -> Keys:
    """A folder, a FIFO or a link where a file should be."""
    key = _victim(store, chance)
    path = store.store / key
    remove(path)
    how = chance.choice(("folder", "fifo", "loop", "dangling", "zero"))
    if how == "folder":
        path.mkdir()
    elif how == "fifo":
        os.mkfifo(path)
    else:
        target = {"loop": path, "dangling": path.with_name("none"), "zero": "/dev/zero"}[how]
        path.symlink_to(target)
    return {key}


ACCIDENTS: tuple[Mutation, ...] = (
    flip, cut, append, zero, swap_ranges, duplicate, grow, delete, swap_files, replace,
    not_a_file,
)  # fmt: skip
