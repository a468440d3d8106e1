"""Real files that come inside packages on PyPI, so that nothing is downloaded at run time.

* DICOM: the test files of pydicom (CT, MR, RT, ECG, and a whole DICOMDIR tree);
* neuroimaging: the test files of nibabel (NIfTI, AFNI, MINC, PAR/REC);
* weather: tables of vega_datasets (CSV).

They are copied, byte for byte, into ordinary folders.
"""

from __future__ import annotations

import csv
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path

TABLES = ("seattle-weather.csv", "seattle-temps.csv", "sf-temps.csv")


def _package(name: str) -> Path:
    """Where an installed package lies; it is found, not imported."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is not installed: pip install 'datacat[demo]', or make demo")
    return Path(spec.origin).parent


def dicom(target: Path) -> None:
    """Copy pydicom's test files to `target`."""
    source = _package("pydicom") / "data" / "test_files"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def neuro(target: Path) -> None:
    """Copy nibabel's test images to `target`."""
    source = _package("nibabel") / "tests" / "data"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def projects(target: Path) -> None:
    """What a shared drive looks like: scans with masks and labels, and copies of them."""
    source, first = _package("nibabel") / "tests" / "data", target / "alice" / "cmr"
    for number, name in enumerate(("example4d.nii.gz", "example_nifti2.nii.gz"), start=1):
        folder = first / f"sub-{number:04d}"
        folder.mkdir(parents=True)
        shutil.copyfile(source / name, folder / "sax.nii.gz")
        mask = "anatomical.nii" if number == 1 else "functional.nii"
        shutil.copyfile(source / mask, folder / "mask.nii")
    (first / "labels.csv").write_text("subject,site,lvef\nsub-0001,1,61.2\nsub-0002,1,48.9\n")
    shutil.copytree(first, target / "bob" / "cmr_final")
    shutil.copytree(first, target / "bob" / "cmr_final_v2_new")
    (target / "bob" / "cmr_final_v2_new" / "labels.csv").write_text("subject,site,lvef\n")


def weather(target: Path) -> None:
    """Copy three weather tables of vega_datasets to `target`."""
    target.mkdir(parents=True)
    for name in TABLES:
        shutil.copyfile(_package("vega_datasets") / "_data" / name, target / name)


def anonymise(folder: Path) -> list[str]:
    """Take the patient's name out of every CT and MR file that pydicom can write again.

    Returns the paths of the changed files, relative to `folder`.
    """
    import pydicom

    changed = []
    for path in sorted(folder.glob("[CM][TR]_small.dcm")):
        header = pydicom.dcmread(path)
        header.PatientName = "Anonymous"
        header.save_as(path)
        changed.append(path.relative_to(folder).as_posix())
    return changed


def index_headers(folder: Path, target: Path) -> int:
    """Write one CSV row per readable DICOM file of `folder`; returns how many there are."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    target.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with target.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "modality", "rows", "columns"])
        for path in sorted(folder.glob("*.dcm")):
            try:
                with warnings.catch_warnings(action="ignore"):  # some files are odd on purpose
                    header = pydicom.dcmread(path, stop_before_pixels=True)
            except InvalidDicomError:
                continue
            fields = [str(header.get(key, "")) for key in ("Modality", "Rows", "Columns")]
            table.writerow([path.name, *fields])
            rows += 1
    return rows


def add_mean_temperature(table: Path) -> int:
    """Add a column `mean` and drop the days without rain; returns the rows that are left."""
    with table.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if float(row["precipitation"]) > 0]
    for row in rows:
        row["mean"] = f"{(float(row['temp_max']) + float(row['temp_min'])) / 2:.2f}"
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)
