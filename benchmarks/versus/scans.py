"""Medical images: slices of noise with a DICOM header, which a later version changes."""

from __future__ import annotations

import random
from pathlib import Path

from versus.trees import clone

SIDE = 512  # pixels; two bytes each: 512 KiB
PER_SERIES = 100
NOISE = int.from_bytes(b"\xff\x0f" * SIDE * SIDE, "little")  # the lower 12 of each 16 bits


def write_slices(root: Path, scale: float) -> None:
    """v1; v2 with another header in each; v3 with other pixels in 1 % of them."""
    count = max(100, int(3_000 * scale))
    for number in range(count):
        _write(root / "v1" / _name(number), number, "DOE^JANE", "20260105", seed=number)
        _write(root / "v2" / _name(number), number, "ANON-004711^CARDIAC", "20260309", seed=number)
    clone(root / "v2", root / "v3")
    for number in random.Random(31).sample(range(count), max(1, count // 100)):
        path = root / "v3" / _name(number)
        path.unlink()
        _write(path, number, "ANON-004711^CARDIAC", "20260309", seed=count + number)


def _name(number: int) -> str:
    return f"data/series-{number // PER_SERIES:03d}/slice-{number % PER_SERIES:04d}.dcm"


def _write(path: Path, number: int, patient: str, date: str, *, seed: int) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    series = number // PER_SERIES
    slice_ = Dataset()
    slice_.SOPClassUID = MRImageStorage
    slice_.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1.{number + 1}"
    slice_.StudyInstanceUID = "1.2.826.0.1.3680043.10.2.1"
    slice_.SeriesInstanceUID = f"1.2.826.0.1.3680043.10.3.{series + 1}"
    slice_.PatientName, slice_.PatientID = patient, f"P{series:05d}"
    slice_.StudyDate = slice_.SeriesDate = slice_.ContentDate = date
    slice_.Modality, slice_.Manufacturer = "MR", "Benchmark"
    slice_.SeriesDescription = f"cine short axis {series}"
    slice_.InstanceNumber, slice_.SliceLocation = number % PER_SERIES + 1, 1.25 * number
    slice_.ImagePositionPatient = [-180.0, -180.0, 1.25 * number]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.PixelSpacing, slice_.SliceThickness = [0.703, 0.703], 1.25
    slice_.Rows = slice_.Columns = SIDE
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 12, 11
    slice_.SamplesPerPixel, slice_.PixelRepresentation = 1, 0
    slice_.PhotometricInterpretation = "MONOCHROME2"
    length = SIDE * SIDE * 2
    noise = int.from_bytes(random.Random(seed).randbytes(length), "little") & NOISE
    slice_.PixelData = noise.to_bytes(length, "little")
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    slice_.save_as(path, enforce_file_format=True)
