"""Damaged products, copied folders, a lost or damaged state database."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from vampires.engine.database import CommittingSqliteDB
from vampires.engine.products import content_digest, fingerprints

DONE = (0, ["everything is up to date (4 tasks)"])


def other_times(folder):
    """Give every file a new time, in the order of their old ones, as a careless copy does."""
    files = sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_mtime)
    for number, path in enumerate(files):
        os.utime(path, ns=(10**18 + number * 10**9,) * 2)


class TestDamagedTargets:
    @pytest.mark.parametrize(
        ("content", "words"),
        [("1", "has 1 bytes, 2 were written"), ("19", "its content is not what was written")],
    )
    def test_a_damaged_product_is_made_again_with_a_line(self, project, content, words):
        project.doit()
        project.journal()
        (project.folder / "coadd" / "a.dat").write_text(content)
        why = project.doit("why", "coadd:a")[1]
        assert why == [f"coadd:a: coadd/a.dat: {words}"]
        status, output = project.doit()
        assert status == 0
        assert f"coadd:a: warning: made again: coadd/a.dat: {words}" in output
        assert project.worked_on() == ["a", "stokes"]
        assert (project.folder / "coadd" / "a.dat").read_text() == "11"
        assert project.doit() == DONE

    def test_a_damaged_last_product_is_made_again(self, project):
        project.doit()
        project.journal()
        (project.folder / "stokes.dat").write_text("")
        assert project.doit()[0] == 0
        assert project.worked_on() == ["stokes"]
        assert (project.folder / "stokes.dat").read_text() == "112233"

    def test_only_the_time_changes_nothing_and_is_kept(self, project):
        project.doit()
        os.utime(project.folder / "stokes.dat", ns=(1, 1))
        assert project.doit() == DONE
        with sqlite3.connect(project.folder / ".doit.db") as state:
            (record,) = state.execute("select task_data from doit where task_id = 'stokes'")
        state.close()
        digest = content_digest(project.folder / "stokes.dat")
        assert f'[[6, 1, "{digest}"]]' in record[0]

    def test_fingerprint(self, tmp_path):
        path = tmp_path / "a"
        path.write_text("x")
        os.utime(path, ns=(5, 5))
        assert fingerprints([str(path)]) == [[1, 5, content_digest(path)]]


class TestCopiedFolder:
    def test_a_copy_with_other_times_is_up_to_date(self, absolute, tmp_path):
        absolute.doit()
        there = type(absolute)(tmp_path / "copy")
        shutil.copytree(absolute.folder, there.folder)
        other_times(there.folder)
        assert there.doit() == DONE
        assert absolute.doit() == DONE

        (there.folder / "raw" / "a.raw").write_text("10")
        there.journal()
        there.doit()
        assert there.worked_on() == ["a", "stokes"]

    def test_a_damaged_product_in_the_copy_is_made_again(self, absolute, tmp_path):
        absolute.doit()
        there = type(absolute)(tmp_path / "copy")
        shutil.copytree(absolute.folder, there.folder)
        other_times(there.folder)
        (there.folder / "coadd" / "b.dat").write_text("20")
        there.journal()
        assert "its content is not what was written" in "\n".join(there.doit()[1])
        assert there.worked_on() == ["b", "stokes"]


class TestStateDatabase:
    @pytest.mark.parametrize("damage", ["text", "head", "middle", "empty"])
    def test_a_damaged_one_is_set_aside_with_a_line(self, project, damage):
        project.write({f"{i:0120d}": str(i) for i in range(20)})
        project.doit()
        state = project.folder / ".doit.db"
        content = bytearray(state.read_bytes())
        assert len(content) > 4 * 4096
        match damage:
            case "text":
                content = bytearray(b"not a database\n" * 1000)
            case "head":
                content[:100] = os.urandom(100)
            case "middle":
                content[4096 : 3 * 4096] = os.urandom(2 * 4096)
            case "empty":
                content = bytearray()
        state.write_bytes(content)
        status, output = project.doit()
        text = "\n".join(output)
        assert status == 0
        assert "Traceback" not in text
        assert project.doit()[1] == ["everything is up to date (21 tasks)"]
        if damage != "empty":
            assert text.count("was damaged and is set aside as .doit.db.damaged-") == 1
            assert len(list(project.folder.glob(".doit.db.damaged-*"))) == 1

    def test_a_record_that_cannot_be_read_costs_that_task(self, project):
        project.doit()
        project.journal()
        with sqlite3.connect(project.folder / ".doit.db") as state:
            state.execute("update doit set task_data = x'ff00' where task_id = 'coadd:b'")
        state.close()
        assert project.doit()[0] == 0
        assert project.worked_on() == ["b", "stokes"]

    def test_finished_tasks_are_found_by_what_their_products_say(self, signed):
        signed.doit()
        signed.journal()
        (signed.folder / ".doit.db").unlink()
        status, output = signed.doit()
        assert status == 0
        assert "3 of 4 tasks are found done by their products' headers" in "\n".join(output)
        assert signed.worked_on() == ["stokes"]  # its product says nothing

    @pytest.mark.parametrize("change", ["setting", "raw", "younger", "cut"])
    def test_what_would_come_out_differently_is_made_again(self, signed, change):
        signed.doit()
        signed.journal()
        (signed.folder / ".doit.db").write_text("damaged")
        product = signed.folder / "coadd" / "a.toml"
        match change:
            case "setting":
                signed.write({"a": "1", "b": "2", "c": "3"}, method="median")
            case "raw":
                (signed.folder / "raw" / "a.raw").write_text("10")
                os.utime(signed.folder / "raw" / "a.raw", ns=(1, 1))
            case "younger":
                (signed.folder / "raw" / "a.raw").write_text("7")
            case "cut":
                product.write_text("")
        assert signed.doit()[0] == 0
        again = ["a", "b", "c"] if change == "setting" else ["a"]
        assert signed.worked_on() == [*again, "stokes"]

    def test_a_forgotten_task_is_not_found_again(self, signed):
        signed.doit()
        signed.journal()
        signed.doit("forget", "coadd")
        signed.doit()
        assert signed.worked_on() == ["a", "b", "c"]

    def test_where_nothing_can_be_written_the_records_are_read(self, project):
        """A directory at the place of the journal stands for a folder that is read-only."""
        project.doit()
        project.journal()
        state = project.folder / ".doit.db"
        shutil.copytree(project.folder, project.folder / "sealed")
        for suffix in ("-wal", "-shm", "-journal"):
            (project.folder / "sealed" / f"{state.name}{suffix}").unlink(missing_ok=True)
            (project.folder / "sealed" / f"{state.name}{suffix}").mkdir()
        sealed = type(project)(project.folder / "sealed")
        assert sealed.doit("list", "--status")[0] == 0
        assert sealed.doit() == DONE


def test_remove_all_forgets_at_once(tmp_path):
    from doit.dependency import Dependency
    from doit.task import Task

    state = Dependency(CommittingSqliteDB, str(tmp_path / "db"))
    state.save_success(Task("a", None))
    state.remove_all()
    assert not state.backend.in_("a")
    state.close()
    again = CommittingSqliteDB(str(tmp_path / "db"), state.backend.codec)
    assert not again.in_("a")
    again.dump()


def test_planning_does_not_load_what_reads_products():
    code = (
        "import sys, vampires.engine.recovery, vampires.engine.database, vampires.io.provenance\n"
        "assert not {'numpy', 'astropy', 'h5py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
