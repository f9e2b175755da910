"""Tasks that turn controller-format EMCCD files into what the archive would have stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.night.controller import normalized_outputs
from vampires.night.fixes import load_fixes
from vampires.tasks.plan import current_plan

Task = dict[str, Any]


def make_normalized(raw: Path, config: Config) -> dict[str, Any]:
    """Normalise one file: drop spoilt frames, separate the FLC states."""
    from vampires.night.normalize import normalize_file

    done = normalize_file(
        raw, config.folder, deinterleave=config.data.deinterleave,
        memory=config.execution.memory_bytes,
        fixes=load_fixes(config.data.fix, config.folder),
    )  # fmt: skip
    return {"frames": list(done.outputs.values()), "empty": done.empty}


def task_normalize() -> Iterator[Task]:
    """Controller-format files without spoilt frames, one FLC state a file."""
    plan = current_plan()
    yield {"basename": "normalize", "name": None, "doc": task_normalize.__doc__}
    config = plan.config
    for record in plan.controller_files:
        outputs = normalized_outputs(record, config.folder, config.data.deinterleave)
        yield make_task(
            "normalize", record["name"], make_normalized, (Path(record["path"]), config),
            file_dep=[record["path"]], targets=[output["path"] for output in outputs],
            settings={
                "deinterleave": config.data.deinterleave, **plan.fixes_of([record["path"]])
            },
            version=1,
            doc=f"normalised {record['name']}",
        )  # fmt: skip
