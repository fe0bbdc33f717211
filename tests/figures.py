"""Whether a figure shows something, whatever format and library drew it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from matplotlib.image import imread


def assert_drawn(path: Path) -> None:
    """Axes and something in them: marks all over the picture, on a background that is most of it."""
    match path.suffix.lower():
        case ".png":
            image = imread(path)[..., :3]
            ink = (image != image[0, 0]).any(axis=-1)
            ninths = [part for rows in np.array_split(ink, 3) for part in np.array_split(rows, 3, axis=1)]
            assert min(ink.shape) >= 200
            assert all(part.any() for part in ninths)
            assert ink.mean() < 0.9
        case ".svg":
            # A frame, ticks and labels, and a line: each is a path.
            assert len(list(ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}path"))) > 10
        case ".pdf":
            content = path.read_bytes()
            assert content.startswith(b"%PDF")
            assert content.rstrip().endswith(b"%%EOF")
            assert b"/Page" in content
        case other:
            raise AssertionError(f"no figure: {other}")
