import json
import logging
import subprocess
import sys
import threading
import warnings

import pytest

from vampires.log import (
    bound,
    bound_fields,
    collected_warnings,
    configure_log,
    get_logger,
    log_path,
    pass_on_warnings,
)

log = get_logger("vampires.example")


@pytest.fixture(autouse=True)
def fixture_unconfigured():
    configure_log(None)


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    path = tmp_path / "out" / "debug.log"
    configure_log(path)
    yield path
    configure_log(None)


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_record_holds_time_level_event_logger_and_keys(path):
    log.info("matched flat", file="a.fits", days=3)
    (record,) = records(path)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "level": "info",
        "event": "matched flat",
        "logger": "vampires.example",
        "file": "a.fits",
        "days": 3,
    }


def test_values_that_json_lacks_are_written_as_text(path):
    log.debug("path", file=path, angle=float("nan"))
    assert records(path)[0]["file"] == str(path)


def test_exception_keeps_its_traceback_on_one_line(path):
    try:
        float("no star")
    except ValueError:
        log.exception("failed")
    (record,) = records(path)
    assert record["level"] == "error"
    assert "Traceback" in record["exception"]
    assert "ValueError: could not convert" in record["exception"]


def test_bound_keys_belong_to_their_block_and_thread(path):
    with bound(task="coadd:a"):
        assert bound_fields() == {"task": "coadd:a"}
        log.info("inside")
        thread = threading.Thread(target=log.info, args=("elsewhere",))
        thread.start()
        thread.join()
    log.info("outside")
    assert [record.get("task") for record in records(path)] == ["coadd:a", None, None]


def test_threads_and_processes_do_not_mix_their_lines(path):
    code = (
        "import sys\nfrom vampires.log import configure_log, get_logger\n"
        "configure_log(sys.argv[1])\n"
        "for i in range(200): get_logger('p').info('x' * 3000, i=i)\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda: [log.info("y" * 3000, i=i) for i in range(200)])
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0]
    assert len(records(path)) == 800


def test_warnings_are_collected_once_and_without_the_task(path):
    with collected_warnings() as texts, bound(task="coadd:a"):
        log.warning("no flat matches", file="a.fits")
        log.warning("no flat matches", file="a.fits")
        log.info("not a warning")
        pass_on_warnings(["from a worker"])
    assert texts == ["no flat matches (file=a.fits)", "from a worker"]
    assert len(records(path)) == 3


def test_python_warnings_go_to_the_file(path, capsys):
    log.debug("opened")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(UserWarning("odd card"), UserWarning, "x.py", 7)
    with collected_warnings() as texts:
        pass
    record = records(path)[-1]
    assert (record["event"], record["at"]) == ("odd card", "x.py:7")
    assert texts == []
    assert capsys.readouterr().err == ""


def test_without_configuration_events_are_standard_logging(caplog):
    assert log_path() is None
    with caplog.at_level(logging.INFO), collected_warnings() as texts:
        log.debug("too fine")
        log.info("matched flat", file="a.fits")
        log.warning("no flat")
    assert caplog.messages == ["matched flat (file=a.fits)", "no flat"]
    assert texts == ["no flat"]


def test_library_is_silent_at_info_level_and_light(tmp_path):
    code = (
        "import sys, vampires.log as log\n"
        "with log.bound(task='a'): log.get_logger('vampires').info('quiet')\n"
        "assert 'structlog' not in sys.modules\n"
        f"log.configure_log({str(tmp_path / 'debug.log')!r})\n"
        "assert 'structlog' not in sys.modules\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert not (tmp_path / "debug.log").exists()


def test_recording_can_move_to_another_file(path, tmp_path):
    log.info("first")
    configure_log(tmp_path / "second.log")
    log.info("second")
    assert [record["event"] for record in records(path)] == ["first"]
    assert [record["event"] for record in records(tmp_path / "second.log")] == ["second"]
