import dataclasses
import enum
import os
import random
import signal
import sqlite3
import time
from datetime import date
from pathlib import Path

import pytest
from doit.dependency import Dependency, JSONCodec
from doit.task import Task
from fixtures.doit import PATIENCE, eventually, is_running
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.engine.database import CommittingSqliteDB
from vampires.engine.state import SettingsUnchanged, SizeMtimeChecker, plain


def state_in(folder):
    return Dependency(CommittingSqliteDB, str(folder / "db"), checker_cls=SizeMtimeChecker)


class TestCommittingSqliteDB:
    def test_a_saved_task_is_on_disk_before_the_run_ends(self, tmp_path):
        state = state_in(tmp_path)
        (tmp_path / "dep").write_text("x")
        state.save_success(Task("coadd:a", None, file_dep=[str(tmp_path / "dep")]))
        with sqlite3.connect(tmp_path / "db") as other:
            rows = other.execute("select task_id from doit").fetchall()
        other.close()
        state.close()
        assert rows == [("coadd:a",)]

    def test_a_forgotten_task_is_forgotten_at_once(self, tmp_path):
        state = state_in(tmp_path)
        state.save_success(Task("coadd:a", None))
        state.remove("coadd:a")
        other = state_in(tmp_path)
        assert other.get_values("coadd:a") == {}
        other.close()
        state.close()

    def test_setting_one_value_keeps_the_rest_of_the_record(self, tmp_path):
        first = state_in(tmp_path)
        task = Task("coadd:a", None)
        task.values = {"n": 3}
        first.save_success(task)
        first.close()
        second = state_in(tmp_path)
        second.ignore(task)
        second.close()
        third = CommittingSqliteDB(str(tmp_path / "db"), JSONCodec())
        assert third.get("coadd:a", "_values_:") == {"n": 3}
        assert third.get("coadd:a", "ignore:") == "1"
        third.dump()

    @pytest.mark.parametrize("processes", ["0", "2"])
    def test_finished_tasks_survive_a_kill(self, project, processes):
        texts = {f"f{i}": str(i) for i in range(8)}
        project.write(texts)
        process = project.start("-n", processes, PAUSE="0.3")
        project.wait_for(3)
        time.sleep(random.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        lines = process.communicate(timeout=PATIENCE)[0].splitlines()
        finished = {line.split()[0].partition(":")[2] for line in lines}
        assert process.returncode == -signal.SIGKILL
        assert 0 < len(finished) < 8
        journal = project.journal()
        assert eventually(lambda: not any(is_running(pid) for _, pid in journal))
        assert {name for name, _ in journal} - finished, "the kill came between two tasks"

        status, _ = project.doit("-n", processes)
        again = set(project.worked_on())
        assert status == 0
        assert not finished & again
        # a task that was ending at the moment of the kill may be in neither set
        assert {"stokes"} <= again
        assert (project.folder / "stokes.dat").read_text() == "".join(t * 2 for t in texts.values())
        assert not list((project.folder / "coadd").glob(".*"))


class TestSizeMtimeChecker:
    checker = SizeMtimeChecker()

    def is_modified(self, path, state):
        return self.checker.check_modified(str(path), path.stat(), list(state))

    @pytest.mark.parametrize("name", ["raw.fits", "metrics.h5", "centroids.toml"])
    def test_same_file_and_new_size(self, tmp_path, name):
        path = tmp_path / name
        path.write_text("12345")
        state = self.checker.get_state(str(path), None)
        assert not self.is_modified(path, state)
        assert self.checker.get_state(str(path), list(state)) is None
        path.write_text("123456")
        assert self.is_modified(path, state)

    @pytest.mark.parametrize(
        ("name", "modified"), [("raw.fits", True), ("metrics.h5", True), ("centroids.toml", False)]
    )
    def test_touched_data_is_modified_and_touched_text_is_not(self, tmp_path, name, modified):
        path = tmp_path / name
        path.write_text("12345")
        state = self.checker.get_state(str(path), None)
        os.utime(path, ns=(1, 1))
        assert self.is_modified(path, state) is modified

    def test_text_of_the_same_size_is_read(self, tmp_path):
        path = tmp_path / "centroids.toml"
        path.write_text("12345")
        state = self.checker.get_state(str(path), None)
        path.write_text("54321")
        os.utime(path, ns=(1, 1))
        assert self.is_modified(path, state)


class TestSettings:
    def test_equal_settings_are_unchanged(self):
        saved = {"_settings": SettingsUnchanged({"size": 1, "path": "a"}).settings}
        assert SettingsUnchanged({"path": Path("a"), "size": 1.0})(None, saved)

    def test_first_run_is_a_change_without_a_reason(self):
        check = SettingsUnchanged({"size": 1})
        assert not check(None, {})
        assert check.changes({}) == []

    def test_changes_name_the_setting(self):
        check = SettingsUnchanged({"coadd": {"method": "median", "size": 3}, "new": None})
        saved = {"_settings": {"coadd": {"method": "mean", "size": 3}, "old": [1]}}
        assert not check(None, saved)
        assert check.changes(saved) == [
            "coadd.method: 'mean' -> 'median'",
            "new: nothing -> None",
            "old: [1] -> nothing",
        ]

    def test_plain_values(self):
        class Method(enum.Enum):
            MEAN = "mean"

        @dataclasses.dataclass
        class Section:
            method: Method
            box: tuple[float, float]

        value = {"s": Section(Method.MEAN, (1.0, 0.5)), "d": date(2023, 1, 2), "n": {"b", "a"}}
        assert plain(value) == {
            "s": {"method": "mean", "box": [1, 0.5]},
            "d": "2023-01-02",
            "n": ["a", "b"],
        }

    def test_what_cannot_be_compared_is_refused(self):
        with pytest.raises(TypeError, match="object"):
            plain({"x": object()})

    @settings(max_examples=50, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda leaf: st.lists(leaf) | st.dictionaries(st.text(), leaf),
            max_leaves=8,
        )
    )
    def test_settings_survive_the_database(self, value):
        codec = JSONCodec()
        saved = SettingsUnchanged({"value": value}).settings
        assert codec.decode(codec.encode(saved)) == saved
