"""A setting of the allocator without which training on a processor takes twice the memory.

glibc raises the size from which a tensor gets pages of its own with every tensor that is freed.
Aligned requests then cannot reuse the holes between tensors kept for backward: a LoRA step of
ViT-B at 1024 px held 1.5 GB of pages for 0.8 GB of tensors.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_MMAP_THRESHOLD = -3
PAGES_FROM_BYTES = 4 << 20


def give_large_tensors_pages() -> bool:
    """Fix the size from which memory goes back to the system when freed; say if that was done.

    Nothing happens away from glibc, or where the environment already tunes the allocator.
    """
    if not sys.platform.startswith("linux") or any(key.startswith("MALLOC_") for key in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(M_MMAP_THRESHOLD, PAGES_FROM_BYTES) == 1
