"""PNG by hand: a few coloured pixels, for pictures of kernels."""

import struct
import zlib

import numpy as np

from intertwine._numerics import Array

# Below zero, zero, above zero; both ends are as dark.
BELOW, NONE, ABOVE = (33, 82, 165), (247, 247, 247), (178, 56, 24)


def png(pixels: Array) -> bytes:
    r"""A picture from colours, shape (height, width, 3), 8 bits each.

    Examples:
        >>> png(np.zeros((2, 3, 3), dtype=np.uint8))[:4]
        b'\x89PNG'
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each begins with its filter, which is none
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def coloured(values: Array, limit: float) -> Array:
    """Values from -limit to limit as colours, shape (..., 3); zero is nearly white.

    Examples:
        >>> coloured(np.array([-1.0, 0.0, 1.0]), 1.0)[1].tolist()
        [247, 247, 247]
    """
    share = np.clip(np.asarray(values, dtype=float) / (limit or 1.0), -1.0, 1.0)[..., None]
    none, above, below = (np.array(colour, dtype=float) for colour in (NONE, ABOVE, BELOW))
    mixed = none + np.where(share > 0, above - none, below - none) * np.abs(share)
    return np.rint(mixed).astype(np.uint8)
