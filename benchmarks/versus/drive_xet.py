"""Save and get versions with hf-xet's library, with a folder in the place of its server."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import hf_xet


def main() -> None:
    """Do `add` or `pull`, with what the environment says (see `versus/peer.py`)."""
    store, folder = Path(os.environ["STORE"]), Path(os.environ["FOLDER"])
    endpoint = f"local://{store / 'xet'}"
    listing = store / f"{os.environ['STEP']}.json"
    if sys.argv[1] == "add":
        (store / "xet").mkdir(exist_ok=True)
        paths = [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
        found = hf_xet.upload_files(paths, endpoint, None, None, None, None, skip_sha256=True)
        rows = [(path, file.hash, file.filesize) for path, file in zip(paths, found, strict=True)]
        listing.write_text(json.dumps(rows))
        return
    out = Path(os.environ["OUT"])
    wanted = [
        hf_xet.PyXetDownloadInfo(str(out / path), digest, size)
        for path, digest, size in json.loads(listing.read_text())
    ]
    hf_xet.download_files(wanted, endpoint, None, None, None)


if __name__ == "__main__":
    main()
