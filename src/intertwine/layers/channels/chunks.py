"""Channels in equal chunks: the groups of a convolution, the heads of an attention."""

from intertwine.representations import Representation, Segment


def whole_field_chunks(rep: Representation, count: int) -> tuple[tuple[Representation, ...] | None, str]:
    """``(chunks, "")``: the representations of ``count`` equally long runs of channels, or ``(None, reason)``.

    There are none where a field reaches over the end of a chunk, so that the group mixes two of them.

    Examples:
        >>> import intertwine as iw
        >>> R = iw.Cyclic(4).regular()
        >>> whole_field_chunks(4 * R, 2)[0]
        (Representation(C4: 2xregular), Representation(C4: 2xregular))
        >>> whole_field_chunks(2 * R, 4)[1]
        'a field regular reaches over the end of a chunk of 2 channels'
    """
    if count < 1 or rep.dim % count:
        return None, f"{rep.dim} channels do not make {count} equal chunks"
    size = rep.dim // count
    chunks: list[list[Segment]] = [[]]
    filled = 0
    for segment in rep.segments:
        units = [segment] if segment.copies_innermost else [Segment(1, segment.field)] * segment.mul
        for unit in units:
            if filled == size:
                chunks.append([])
                filled = 0
            if filled + unit.dim > size:
                return None, f"a field {unit.name} reaches over the end of a chunk of {size} channels"
            chunks[-1].append(unit)
            filled += unit.dim
    return tuple(Representation(rep.group, tuple(chunk)) for chunk in chunks), ""
