"""More than two hundred persons with 52 photographs each: a typeface is a person, a letter in it a photograph."""

from __future__ import annotations

import os
import shutil
import string
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ADF = ("accanthis", "baskervald", "berenis", "gillius", "ikarius", "irianis", "libris", "mekanus", "oldania", "romande",
       "switzera", "tribun", "universalis", "verana")  # fmt: skip
PACKAGES = (
    *(f"fonts-adf-{family}" for family in ADF),
    *(f"fonts-averia{kind}-gwf" for kind in ("", "-sans", "-serif")),
    *(f"fonts-{family}" for family in ("cabin", "comic-neue", "dosis", "ebgaramond", "jura", "lato", "linuxlibertine")),
    *(f"fonts-{family}" for family in ("open-sans", "vollkorn")),
)
COPY = Path(".unlearn/people/photographs.npz")
SIZE = 24


@dataclass(frozen=True)
class Persons:
    """Everybody, with every photograph of them.

    Attributes:
        photographs: shape (persons, 52, 1, 24, 24), float32 in [0, 1]; letters A to Z and a to z in this order.
        names: of the typefaces, in alphabetical order.
    """

    photographs: np.ndarray[Any, Any]
    names: tuple[str, ...]


@cache
def persons(copy: Path = COPY) -> Persons:
    """Read the photographs, which are made of Debian's packages the first time (10 MB to fetch)."""
    if not copy.exists():
        _make(copy)
    with np.load(copy) as kept:
        return Persons(kept["photographs"].astype(np.float32)[:, :, None] / 255, tuple(kept["names"].tolist()))


def photograph(files: list[Path]) -> Persons:
    """Take the photographs of every typeface that has all letters, none of them equal to another person's."""
    from PIL import ImageFont

    names, photographs, seen = [], [], {bytes(SIZE * SIZE)}
    for path in sorted(files, key=lambda path: path.name):
        font = ImageFont.truetype(str(path), SIZE - 6)
        taken = np.stack([_letter(font, letter) for letter in string.ascii_letters])
        looks = {photograph.tobytes() for photograph in taken}
        if len(looks) == len(taken) and not looks & seen:
            names.append(path.stem)
            photographs.append(taken)
            seen |= looks
    return Persons(np.stack(photographs), tuple(names))


def _letter(font: Any, letter: str) -> np.ndarray[Any, Any]:
    """The letter in the middle of a square."""
    from PIL import Image, ImageDraw

    square = Image.new("L", (SIZE, SIZE))
    draw = ImageDraw.Draw(square)
    left, top, right, bottom = draw.textbbox((0, 0), letter, font=font)
    draw.text(((SIZE - left - right) / 2, (SIZE - top - bottom) / 2), letter, font=font, fill=255)
    return np.asarray(square)


def _make(copy: Path) -> None:
    by_hand = f"`apt-get download {' '.join(PACKAGES)}` where apt-get is"
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise FileNotFoundError(f"the typefaces are in packages of Debian, which is not here: {by_hand}.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=folder, check=True, capture_output=True)
            for package in Path(folder).glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        except subprocess.CalledProcessError as error:
            raise FileNotFoundError(f"the typefaces could not be fetched: {by_hand}.") from error
        kinds = (".otf", ".ttf")
        files = [path for path in Path(folder).rglob("*") if path.suffix in kinds and not path.is_symlink()]
        everybody = photograph(files)
    copy.parent.mkdir(parents=True, exist_ok=True)
    part = copy.with_name(f"{os.getpid()}.npz")  # others may be making it as well
    np.savez_compressed(part, photographs=everybody.photographs, names=np.array(everybody.names))
    part.replace(copy)
