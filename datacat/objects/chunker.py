"""Cut content into chunks where the content itself says so: an edit moves only the cuts near it.

FastCDC with the gear hash that looks at two bytes a step and normalisation 2 (Xia et al., "The
Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS
2020). What must always hold: the cuts depend on the content and on the three sizes in `store.json`
alone, never on how the content was handed over, on the machine or on a version of a library. The
golden boundaries in the tests hold it.
"""

from __future__ import annotations

from typing import Final

from pyfastcdc import FastCDC

from datacat.model import Parameters

NORMALISATION: Final = 2
"""How strictly sizes gather around the mean; part of the format."""


class Chunker:
    """Finds cuts. Thread-safe: it keeps nothing between calls."""

    def __init__(self, parameters: Parameters) -> None:
        self.max_bytes = parameters.chunk_max_bytes
        self._fastcdc = FastCDC(
            parameters.chunk_mean_bytes,
            min_size=parameters.chunk_min_bytes,
            max_size=parameters.chunk_max_bytes,
            normalized_chunking=NORMALISATION,
        )

    def cut(self, data: bytes | bytearray | memoryview, *, final: bool) -> list[int]:
        """The ends of the chunks in `data`, which begins where a chunk begins.

        Unless `data` is the `final` part of the content, chunks that what follows could still
        change are left out: the caller hands over their bytes again, with more behind them.
        """
        ends = [chunk.offset + chunk.length for chunk in self._fastcdc.cut_buf(data)]
        if final:
            return ends
        certain = len(data) - self.max_bytes
        # A cut depends on up to `max_bytes` bytes from where its chunk begins.
        count = next((n for n, end in enumerate(ends) if (ends[n - 1] if n else 0) > certain), None)
        return ends if count is None else ends[:count]
