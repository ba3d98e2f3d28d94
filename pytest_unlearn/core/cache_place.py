"""Where the cache lies: as a caller says, or the setting `cache`."""

from __future__ import annotations

from pathlib import Path

from pytest_unlearn.core import settings
from pytest_unlearn.core.folders import Folder, Place, folder_of, is_url


def cache_folder(given: Place | None = None, root: Path | None = None) -> Folder:
    """Return the folder of the cache.

    Args:
        given: the path of a folder or a URL; the setting `cache` of the running test by default.
        root: what a relative path is relative to; the working directory by default.

    Raises:
        ValueError: a URL that no installed package can open.
    """
    place = str(settings.resolve("cache").value) if given is None else given
    return folder_of(place if root is None or is_url(place) else root / place)
