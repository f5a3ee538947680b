"""Files kept outside the database under their SHA-256.

``<folder>/ab/ab12...``: written aside and renamed, so that a name never holds half a file. Only
the service's own account may read them. Back the folder up together with the database.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from backend.service_layer.outside.errors import NoSuchFileError


class FolderFileStore:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> bytes:
        """Keep the file durably; returns its digest. The same file again changes nothing."""
        digest = hashlib.sha256(data).digest()
        path = self._path(digest)
        if path.is_file() and path.stat().st_size == len(data):
            return digest
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        return digest

    def get(self, digest: bytes) -> bytes:
        """The file. Raises NoSuchFileError when it is missing or no longer what it was."""
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise NoSuchFileError("文件不在了", "the stored file is missing") from error
        if hashlib.sha256(data).digest() != digest:
            raise NoSuchFileError("文件与摘要不符，已被改动", "the stored file was altered")
        return data

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name
