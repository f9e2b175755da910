"""The canonical header: a typed object, declared fact by fact and written to cards in one place."""

from vampires.canonical.fact import Fact
from vampires.canonical.header import Header

__all__ = ["Fact", "Header"]
