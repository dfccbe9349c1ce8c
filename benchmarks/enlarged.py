"""How often `upgrades` takes an enlarged picture for a better one, and the other way round, on real photos.

    python benchmarks/enlarged.py [--photos N]

Each photo is shrunk to some sizes and saved again, and compared with itself, and with what enlarging the small one gives.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from io import BytesIO

from pictures import DATA
from PIL import Image, ImageFilter

from indexer.better import is_only_enlarged
from indexer.sharpness import gain

FOLDERS = ("photos_caltech_pairs", "photos_clothing", "photos_trashnet_pairs", "orientation_recurser", "copies_pdq")
SHARES = (0.75, 0.7, 0.6, 0.5, 0.35, 0.25)
LEAST_SIDE = 256
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "Lanczos": Image.Resampling.LANCZOS,
    "Lanczos, sharpened": Image.Resampling.LANCZOS,
    "nearest pixel": Image.Resampling.NEAREST,
}


def saved(picture: Image.Image, quality: int) -> Image.Image:
    """A picture as a JPEG of some quality gives it back."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("L")


def main() -> None:
    """Prints a table of shares in percent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100)
    wanted = parser.parse_args().photos
    paths = [path for folder in FOLDERS for path in sorted((DATA / folder).rglob("*.jp*g"))]
    random.Random(7).shuffle(paths)  # noqa: S311 - a sample, the same each time
    judged: dict[tuple[str, float], list[bool]] = defaultdict(list)
    used = 0
    for path in paths:
        full = Image.open(path).convert("L")
        if min(full.size) < LEAST_SIDE:
            continue
        used += 1
        if used > wanted:
            break
        for share in SHARES:
            size = (round(full.width * share), round(full.height * share))
            small = saved(full.resize(size, Image.Resampling.LANCZOS), 80)
            judged["the photo itself", share].append(is_only_enlarged(share, gain(small, full)))
            judged["the photo, JPEG quality 60", share].append(is_only_enlarged(share, gain(small, saved(full, 60))))
            for name, way in FILTERS.items():
                larger = small.resize(full.size, way)
                larger = larger.filter(ImageFilter.UnsharpMask(2, 80, 2)) if "sharpened" in name else larger
                judged[name, share].append(is_only_enlarged(share, gain(small, saved(larger, 85))))
    print("| larger one | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |")
    print("|---|" + "--:|" * len(SHARES))
    for name in dict.fromkeys(name for name, _share in judged):
        rates = (100 * sum(judged[name, share]) / len(judged[name, share]) for share in SHARES)
        print(f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |")


if __name__ == "__main__":
    main()
