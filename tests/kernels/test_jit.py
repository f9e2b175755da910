"""How kernels are compiled and kept."""

import os
import subprocess
import sys
import textwrap

KERNEL = """
    import numpy as np
    from vampires.kernels._jit import kernel

    @kernel
    def inner(x):
        return np.sort(x)[::-1].cumsum()

    @kernel
    def outer(x):
        return inner(x) + np.median(x)
"""
CALL = """
    import sys
    import numpy as np
    import kernels_of_test

    print("ready", flush=True)
    sys.stdin.readline()
    total = kernels_of_test.outer(np.arange(5.0)).sum()
    compiled = [k.stats.cache_misses for k in (kernels_of_test.outer, kernels_of_test.inner)]
    print(total, sum(sum(misses.values()) for misses in compiled))
"""


def test_processes_that_need_a_kernel_at_once_compile_it_once(tmp_path):
    (tmp_path / "kernels_of_test.py").write_text(textwrap.dedent(KERNEL))
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CALL)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0].split() for process in processes]
    assert {total for total, _ in said} == {"50.0"}
    assert sum(int(compiled) for _, compiled in said) == 2  # each of the two kernels by one of them
