"""Which frames of a stream belong to this process, where several share them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sam_crack.errors import UsageError


@dataclass(frozen=True)
class Share:
    """One of so many parts; frame n of those looked at goes to part n modulo their number."""

    part: int = 0
    """Counted from 0."""
    parts: int = 1
    local: int = 0
    """Number of this process on its machine, which chooses its GPU."""

    def owns(self, number: int) -> bool:
        """Whether the frame of this number, among those to be looked at, belongs to this part."""
        return number % self.parts == self.part

    def of(self, total: int) -> int:
        """Return how many of so many frames belong to this part."""
        return len(range(self.part, total, self.parts))


def choose_share(num_parts: int, part_id: int | None, environ: Mapping[str, str]) -> Share:
    """Take the part that was named, or that which `accelerate launch` and torchrun announce."""
    if num_parts == 1 and part_id is None:
        numbers = [environ.get(key, "") for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
        if numbers[0].isdecimal() and numbers[1].isdecimal():
            rank, world = int(numbers[0]), int(numbers[1])
            if rank < world:
                return Share(rank, world, int(numbers[2]) if numbers[2].isdecimal() else 0)
        return Share()
    if part_id is None or part_id >= num_parts:
        raise UsageError(
            f"--num-parts {num_parts} with --part-id {'missing' if part_id is None else part_id}",
            f"parts are counted from 0: --part-id 0 to {num_parts - 1}",
        )
    return Share(part_id, num_parts)
