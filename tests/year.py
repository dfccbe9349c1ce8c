"""A growing data set: scrapes of real and drawn pictures, what people do between them, and the truth of it.

What each file of a scrape is, is known because it was made here; imgindex is never asked. A scrape brings new pictures,
byte copies of what is there, pictures that are there saved again, smaller, larger, mirrored, turned, grey and (photos)
written on, files that cannot be read, and pictures that were deleted by hand or rejected before. Between scrapes, files
are renamed, moved, deleted and rejected. Everything follows from the seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageOps

from indexer.drawing import drawn, encoded

SOURCES = ("bing", "flickr", "open")
FIRST_MET = 0.7
"""The share of its full size in which a picture is first met."""
LONG_AGO = 1_600_000_000
"""Seconds since 1970; each file is a minute younger than the one before."""
ENDINGS = {"JPEG": "jpg", "WEBP": "webp", "PNG": "png"}
DRAWN = 3
"""Of so many pictures, one is drawn."""
HILLS = (5, 1)
"""Numbers with this remainder draw hills."""


class Scrape(NamedTuple):
    """What a scrape put into the data set, and what is to be said of it."""

    outcomes: Mapping[str, str]
    """Path relative to the data set → what it brought."""
    decoded: int
    """Pictures of bytes that were never there."""


class Shown(NamedTuple):
    """What a file shows as it is, neither mirrored nor written on."""

    picture: int
    large: bool
    """In full size."""
    came: int
    """The earliest file has the least."""


class Between(NamedTuple):
    """What people did with files between two scrapes."""

    moved: int
    gone: int


@dataclass(slots=True)
class Year:
    """The data set, and what is true of it."""

    photos: Path
    real: Sequence[Path]
    """Pictures, no two of which show the same."""
    size: int = 1
    """How much of each sort a scrape brings."""
    chance: random.Random = field(default_factory=lambda: random.Random(2026))  # noqa: S311 - no secrets
    standing: dict[str, Shown] = field(default_factory=dict)
    """By path relative to the data set."""
    met: int = 0
    """Pictures 0 to `met` - 1 have been there."""
    made: int = 0
    """Files."""
    seen_bytes: set[bytes] = field(default_factory=set)
    varied: set[int] = field(default_factory=set)
    """Pictures of which mirrored, grey or edited versions were made."""
    whole: set[int] = field(default_factory=set)
    """Pictures that were met in full size."""
    deleted: list[int] = field(default_factory=list)
    """Pictures of which every file was deleted by hand."""
    rejected: list[int] = field(default_factory=list)
    spent: set[int] = field(default_factory=set)
    """Pictures that were deleted or rejected at some time: nothing but their return is of interest."""

    # --- scrapes

    def scrape(self) -> Scrape:
        """Puts the files of a scrape into the data set."""
        outcomes: dict[str, str] = {}
        decoded = 0
        came: dict[str, Shown] = {}
        there = self._there()
        for outcome, count, bring in self._sorts(there):
            for _ in range(count * self.size):
                found = bring()
                if found is None:
                    continue
                path = self._put(found.data, found.ending)
                outcomes[path] = outcome
                decoded += outcome not in {"bytes", "unreadable"}
                if found.picture is not None:
                    came[path] = Shown(found.picture, found.large, self.made)
        self.standing |= came
        return Scrape(outcomes, decoded)

    def _sorts(self, there: list[int]) -> Iterator[tuple[str, int, Callable[[], _Made | None]]]:
        """What a scrape brings of the pictures that are there: the outcome, how many, and what makes one."""
        yield "bytes", 2, lambda: self._copied(there)
        yield "same", 2, lambda: self._again(there, 1.0)
        yield "same", 1, lambda: self._again(there, 0.6)
        yield "better", 1, lambda: self._larger(there)
        yield "flipped", 1, lambda: self._varied(there, ImageOps.mirror)
        yield "rotated", 1, lambda: self._varied(there, _turned)
        yield "edited", 1, lambda: self._varied([picture for picture in there if picture % DRAWN], _written_on)
        yield "recoloured", 1, lambda: self._varied(there, ImageOps.grayscale)
        yield "seen", 1, self._back
        yield "returned", 1, self._returned
        yield "unreadable", 1, lambda: self._broken(there)
        yield "new", 6, self._new

    def _new(self) -> _Made:
        picture, self.met = self.met, self.met + 1
        return _Made(self._encoded(picture, FIRST_MET, "JPEG"), "jpg", picture)

    def _copied(self, there: list[int]) -> _Made | None:
        if not there:
            return None
        picture = self.chance.choice(there)
        path = self.chance.choice(self.files_of(picture))
        data = (self.photos / path).read_bytes()
        return _Made(data, path.rpartition(".")[2], picture, large=self.standing[path].large)

    def _again(self, there: list[int], share: float) -> _Made | None:
        if not there:
            return None
        picture, form = self.chance.choice(there), self.chance.choice(sorted(ENDINGS))
        return _Made(self._encoded(picture, FIRST_MET * share, form), ENDINGS[form], picture)

    def _larger(self, there: list[int]) -> _Made | None:
        picture = self._one(there, self.whole)
        return None if picture is None else _Made(self._encoded(picture, 1.0, "JPEG"), "jpg", picture, large=True)

    def _varied(self, there: list[int], change: Callable[[Image.Image], Image.Image]) -> _Made | None:
        picture = self._one(there, self.varied)
        return None if picture is None else _Made(self._encoded(picture, FIRST_MET, "JPEG", change), "jpg", None)

    def _back(self) -> _Made | None:
        if not self.deleted:
            return None
        picture = self.deleted.pop(0)
        return _Made(self._encoded(picture, FIRST_MET, "JPEG"), "jpg", picture)

    def _returned(self) -> _Made | None:
        if not self.rejected:
            return None
        picture, share = self.chance.choice(self.rejected), self.chance.choice((1.0, 0.8))
        return _Made(self._encoded(picture, FIRST_MET * share, "JPEG"), "jpg", None)

    def _broken(self, there: list[int]) -> _Made | None:
        if not there:
            return None
        data = self._encoded(self.chance.choice(there), FIRST_MET, "JPEG")
        page = f"<html><title>429 Too Many Requests</title><p>{self.made}</html>".encode()
        return _Made(self.chance.choice((data[: len(data) // 3], page)), "jpg", None)

    # --- people

    def between(self) -> Between:
        """Pictures are deleted with all their files, and files are renamed and moved to other folders."""
        removed = [path for picture in self._some(self.size) for path in self._forgotten(picture, self.deleted)]
        for path in removed:
            (self.photos / path).unlink()
        moved = self.chance.sample(sorted(self.standing), min(2 * self.size, len(self.standing)))
        for path in moved:
            target = f"sorted/{self.chance.randint(0, 3)}/moved-{self.made}-{Path(path).name}"
            (self.photos / target).parent.mkdir(parents=True, exist_ok=True)
            (self.photos / path).rename(self.photos / target)
            self.standing[target] = self.standing.pop(path)
            self.made += 1
        return Between(len(moved), len(removed))

    def unwanted(self) -> list[str]:
        """The files of pictures that are to be rejected, relative to the data set."""
        return [path for picture in self._some(self.size) for path in self._forgotten(picture, self.rejected)]

    def upgrades(self) -> dict[str, set[str]]:
        """The earliest file of each picture that came in full size later, with the files of that size."""
        larger: dict[str, set[str]] = {}
        for picture in {shown.picture for shown in self.standing.values() if shown.large}:
            files = self.files_of(picture)
            first = min(files, key=lambda path: self.standing[path].came)
            if not self.standing[first].large:
                larger[first] = {path for path in files if self.standing[path].large}
        return larger

    def upgraded(self, old: str, new: str, target: str) -> None:
        """A larger version took a place."""
        del self.standing[old]
        self.standing[target] = self.standing.pop(new)

    def files_of(self, picture: int) -> list[str]:
        """The files that show a picture as it is."""
        return sorted(path for path, shown in self.standing.items() if shown.picture == picture)

    # --- how

    def _there(self) -> list[int]:
        """The pictures that copies can be made of."""
        return sorted({shown.picture for shown in self.standing.values()} - self.spent)

    def _some(self, count: int) -> list[int]:
        """Pictures that may vanish: nothing else was made of them."""
        plain = sorted(set(self._there()) - self.varied)
        return self.chance.sample(plain, min(count, len(plain)))

    def _forgotten(self, picture: int, among: list[int]) -> list[str]:
        """Takes a picture out of the data set; its files."""
        among.append(picture)
        self.spent.add(picture)
        paths = self.files_of(picture)
        for path in paths:
            del self.standing[path]
        return paths

    def _one(self, there: list[int], used: set[int]) -> int | None:
        """A picture that was not used so before."""
        left = [picture for picture in there if picture not in used]
        if not left:
            return None
        picture = self.chance.choice(left)
        used.add(picture)
        return picture

    def _encoded(
        self, picture: int, share: float, form: str, change: Callable[[Image.Image], Image.Image] | None = None
    ) -> bytes:
        """A picture in a size, of bytes that were never there."""
        image = self._shown(picture, share)
        image = change(image) if change else image
        while True:
            quality = self.chance.randint(62, 92)
            data = encoded(image, form, **({"compress_level": quality % 10} if form == "PNG" else {"quality": quality}))
            if data not in self.seen_bytes:
                self.seen_bytes.add(data)
                return data
            image = image.resize((image.width - 1, image.height - 1))

    def _shown(self, picture: int, share: float) -> Image.Image:
        if picture % DRAWN == 0:
            image = drawn(picture * HILLS[0] + HILLS[1])
        else:
            image = Image.open(self.real[picture - picture // DRAWN - 1]).convert("RGB")
        return image.resize((round(image.width * share), round(image.height * share)))

    def _put(self, data: bytes, ending: str) -> str:
        """Writes a file, older than the index's doubts; its path relative to the data set."""
        path = f"{self.chance.choice(SOURCES)}/{self.chance.randint(0, 2)}/{self.made:05}.{ending}"
        target = self.photos / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        os.utime(target, (LONG_AGO + 60 * self.made,) * 2)
        self.made += 1
        return path


class _Made(NamedTuple):
    """A file to be."""

    data: bytes
    ending: str
    picture: int | None
    """That it shows as it is."""
    large: bool = False


def _turned(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_90)


def _written_on(image: Image.Image) -> Image.Image:
    """With words on a bar in a corner."""
    pen = ImageDraw.Draw(image)
    left, top = image.width * 6 // 10, image.height * 8 // 10
    pen.rectangle((left, top, image.width, image.height), fill="black")
    pen.text((left + 4, top + 2), "SALE", fill="white", font_size=image.height // 8)
    return image
