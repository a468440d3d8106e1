"""Tables: a CSV that is edited, and a Parquet file that is appended to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

ROW_BYTES = 89.8  # what the rows of the CSV come to
PARQUET_ROW_BYTES = 42.6  # and those of the Parquet file, compressed
COLUMN = 6  # "grade", one digit: the column whose value v3 changes


def write_csv(root: Path, scale: float) -> None:
    """v1; v2 with rows inserted and edited; v3 with one column's value changed in 1 % of rows."""
    rows = int(2**30 * scale / ROW_BYTES)
    paths = [root / f"v{version}" / "data" / "table.csv" for version in (1, 2, 3)]
    for path in paths:
        path.parent.mkdir(parents=True)
    _write(paths[0], _rows(rows))
    _write(paths[1], _inserted(paths[0], rows, max(10, int(1000 * scale)), int(500 * scale)))
    _write(paths[2], _changed(paths[1]))


def _write(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", newline="", buffering=1 << 20) as file:
        file.writelines(lines)


def _rows(count: int) -> Iterator[str]:
    source = random.Random(21)
    roll, gauss = source.random, source.gauss
    yield "id,subject,visited,site,age,weight,grade,glucose,score,residual,note\n"
    for row in range(count):
        yield _row(row, roll, gauss)


def _row(row: int, roll: Callable[[], float], gauss: Callable[[float, float], float]) -> str:
    share = roll()
    return (
        f"{row:09d},S{int(share * 50_000):06d},2026-{row // 900_000 % 12 + 1:02d}-"
        f"{row // 30_000 % 28 + 1:02d}T{row // 1200 % 24:02d}:{row // 20 % 60:02d},"
        f"site-{int(share * 41):02d},{int(20 + 70 * roll()):d},{60 + 40 * roll():.1f},"
        f"{int(5 * roll())},{gauss(5.5, 1):.3f},{roll():.6f},{gauss(0, 1):.9f},"
        f"{'follow-up' if share < 0.3 else 'baseline'}\n"
    )


def _inserted(path: Path, rows: int, inserted: int, edited: int) -> Iterator[str]:
    source = random.Random(22)
    places = source.sample(range(1, rows), inserted + edited)
    new, changed = set(places[:inserted]), set(places[inserted:])
    with path.open(newline="") as file:
        for number, line in enumerate(file):
            if number in changed:
                cells = line.split(",")
                cells[4], cells[8] = str(source.randrange(20, 90)), f"{source.random():.6f}"
                yield ",".join(cells)
                continue
            yield line
            if number in new:
                yield _row(rows + number, source.random, source.gauss)


def _changed(path: Path) -> Iterator[str]:
    source = random.Random(23)
    with path.open(newline="") as file:
        for number, line in enumerate(file):
            if number and source.random() < 0.01:
                cells = line.split(",")
                cells[COLUMN] = str((int(cells[COLUMN]) + 1) % 10)
                yield ",".join(cells)
            else:
                yield line


def write_parquet(root: Path, scale: float) -> None:
    """v1, and twice 5 % more rows in row groups after those that were there."""
    groups = max(20, int(200 * scale))
    for version, count in ((1, groups), (2, groups + groups // 20), (3, groups + groups // 10)):
        path = root / f"v{version}" / "data" / "table.parquet"
        path.parent.mkdir(parents=True)
        _write_parquet(path, count, rows=int(2**30 * scale / groups / PARQUET_ROW_BYTES))


def _write_parquet(path: Path, groups: int, *, rows: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for group in range(groups):
        source = np.random.default_rng(1_000 + group)
        table = pa.table(
            {
                "id": np.arange(group * rows, (group + 1) * rows),
                "subject": source.integers(0, 50_000, rows),
                "visited": source.integers(1_700_000_000, 1_800_000_000, rows),
                "age": source.integers(20, 90, rows).astype(np.int8),
                "weight": np.round(source.random(rows) * 40 + 60, 1),
                "glucose": np.round(source.random(rows) * 5, 3),
                "score": source.random(rows),
                "residual": source.random(rows),
            }
        )
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema, compression="snappy")
        writer.write_table(table, row_group_size=rows)
    if writer is not None:
        writer.close()
