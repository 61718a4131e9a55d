"""Read `.keras` zip archives: two small texts and one HDF5 file, read into memory after their sizes are checked."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from pathlib import Path

from fpgacnn.errors import BrokenFileError, NotAModelError, TooLargeError
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_BYTES = 1 << 30


def read_members(path: Path) -> dict[str, bytes]:
    """The relevant members of a `.keras` archive, by name.

    Raises NotAModelError if they are missing, TooLargeError before anything large is unpacked, BrokenFileError.
    """
    try:
        with open_regular(path, limit=ANY_SIZE) as file, zipfile.ZipFile(file) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            if not {CONFIG, WEIGHTS} <= sizes.keys():
                raise NotAModelError(file=path, seen="a zip archive without config.json and model.weights.h5")
            wanted = [name for name in (CONFIG, METADATA, WEIGHTS) if name in sizes]
            total = sum(sizes[name] for name in wanted)
            if total > MAX_BYTES:
                raise TooLargeError(file=path, where="the archive", seen=f"{total} bytes unpacked", limit=MAX_BYTES)
            return {name: _read(archive, name, sizes[name]) for name in wanted}
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise BrokenFileError(file=path, why=str(error) or type(error).__name__) from error


def _read(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """One member; never more than the size in its entry is read."""
    with archive.open(name) as file:
        buffer = io.BytesIO()
        while len(block := file.read(min(1 << 20, size + 1 - buffer.tell()))):
            buffer.write(block)
    return buffer.getvalue()
