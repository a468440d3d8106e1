"""The main job from Python: the same verbs as the command, with the same words.

Run it with `.venv-demo/bin/python examples/library.py` after `make demo`, or with any Python that
has `datacat[demo]`. It uses a store in a temporary folder and prints what the calls return.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import real_data
from datacat import Client, Error, Store


def main() -> None:
    """Save, find, pull, change and compare a dataset."""
    with tempfile.TemporaryDirectory(prefix="datacat-library-") as temporary:
        folder = Path(temporary)
        # A program says who it is and where its cache goes. `datacat.open_store()` takes both from
        # the settings of the person who runs it.
        alice = Client(user="alice", host="laptop", cache_dir=folder / "cache-alice")
        bob = Client(user="bob", host="server", cache_dir=folder / "cache-bob")
        url = str(folder / "store")
        with Store.create(url, name="lab", client=alice) as store:
            save(store, folder / "weather")
        with Store.open(url, client=bob) as store:
            change(store, folder / "bob")


def save(store: Store, weather: Path) -> None:
    """Alice saves a folder, twice."""
    real_data.weather(weather)
    added = store.add(weather, message="as downloaded", tags=["climate"])
    print(f"{added.version.ref}: {added.version.files} files, {added.version.bytes:,} bytes")
    again = store.add(weather)
    print(f"saved again: {again.created} (it is {again.version.ref})")
    assert added.created
    assert not again.created


def change(store: Store, folder: Path) -> None:
    """Bob finds it, pulls it, changes a table, saves that, and looks at the difference."""
    for dataset in store.ls("climate").datasets:
        print(f"found {dataset.latest} by {dataset.owner}")
    pulled = store.pull("weather", dest=folder)
    print(f"pulled {pulled.files} files, every byte checked: {pulled.checked}")
    rows = real_data.add_mean_temperature(folder / "seattle-weather.csv")
    added = store.add(folder, message="rainy days only", metrics={"rows": rows})
    difference = store.diff("weather@v1", added.version.ref)
    for one in difference.changes:
        print(f"{one.change.value} {one.path}: {one.detail}")
    print(
        f"everything as it was saved: {all(result.ok for result in store.verify(everything=True))}"
    )
    try:
        store.pull("wether")
    except Error as error:
        print(f"{error.kind}: {error.message}. {error.hint}")
    assert difference.modified == 1


if __name__ == "__main__":
    main()
