"""The log of a driver: plain lines, whatever a message holds and however the driver ends."""

from __future__ import annotations

import logging
import re

import pytest

from spinscreen.workflows.cli.log import driver_log

LOGGER = logging.getLogger("spinscreen.test")


def lines(folder) -> list[str]:
    (log,) = folder.iterdir()
    assert re.fullmatch(r"driver-\d{8}T\d{6}\.log", log.name)
    return log.read_text().splitlines()


def test_a_message_is_one_line_without_escape_codes(tmp_path):
    with driver_log(tmp_path / "logs"):
        LOGGER.info("%s: computed", "\x1b[31mred\nforged line")
    LOGGER.warning("after the campaign")
    (line,) = lines(tmp_path / "logs")
    assert line.endswith(r"INFO \x1b[31mred\nforged line: computed")


def test_a_signal_is_in_the_log_although_loggers_are_silent(tmp_path):
    def interrupted() -> None:
        with driver_log(tmp_path / "logs"):
            logging.disable()
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        logging.disable(logging.NOTSET)
    assert lines(tmp_path / "logs")[-1].endswith("WARNING stopped")


def test_a_campaign_goes_on_without_a_log(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file")
    ran = []
    with driver_log(tmp_path / "logs"):
        LOGGER.info("nobody reads this")
        ran.append(True)
    assert ran
    assert "no log is written" in capsys.readouterr().err
