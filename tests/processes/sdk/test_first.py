"""The first things that one tries: deploy, change, break and mend an app, and run the same command twice."""

from __future__ import annotations

import pytest

from .developing import Developer, get


@pytest.mark.slow
def test_change_break_and_mend(developer: Developer) -> None:
    """A changed line answers after the next deploy; an error shows its traceback's last line."""
    endpoint = developer.deploy("greeting")["greeting"]
    assert get(endpoint).text == '"hello"'
    developer.write("greeting", {'"hello"': '"hello again"'})
    assert developer.deploy("greeting") == {"greeting": endpoint}
    assert get(endpoint).text == '"hello again"'

    developer.write("greeting", {'print("loading")': 'raise ValueError("there is no model")'})
    failed = developer.try_to_deploy("greeting")
    assert failed["greeting"]["error"] == "App deployment for app greeting has failed!"
    shown = developer.user.flyte("get", "app", "greeting")
    assert "Exited with code 3: ValueError: there is no model" in shown
    assert "revision 2 answers requests" in shown
    assert get(endpoint).text == '"hello again"'
    assert "Traceback" in developer.show_logs("greeting", "ValueError: there is no model")

    developer.write("greeting", {'"hello"': '"mended"'})
    developer.deploy("greeting")
    assert get(endpoint).text == '"mended"'


def test_a_command_twice_on_one_port(developer: Developer) -> None:
    """Two apps with `python -m http.server 8080` run at once, and two of the SDK's `fserve` with it."""
    endpoints = developer.deploy("commands", "first", "second", "third", "fourth")
    assert len(set(endpoints.values())) == 4
    for endpoint in endpoints.values():
        assert "Directory listing" in get(endpoint).text
