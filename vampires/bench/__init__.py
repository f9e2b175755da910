"""How fast the pixels go, and how fast whole nights do."""

from vampires.bench.pixels import BenchResult, KernelTime, as_text, run_bench

__all__ = ["BenchResult", "KernelTime", "as_text", "run_bench"]
