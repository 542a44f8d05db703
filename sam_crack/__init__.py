"""sam_crack teaches Segment Anything a domain: cracks on roads first."""

from __future__ import annotations

__version__ = "0.1.0"
