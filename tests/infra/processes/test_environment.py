"""What children find in their environment: no telemetry, whatever the caller's shell says."""

from flyball.infra.processes.environment import OPT_OUTS, child_environment


def test_the_knobs_win_over_the_shell_and_telemetry_stays_off(monkeypatch):
    monkeypatch.setenv("FLYBALL_PORT", "1")
    monkeypatch.setenv("DO_NOT_TRACK", "0")

    environment = child_environment({"FLYBALL_PORT": "4000"})

    assert environment["FLYBALL_PORT"] == "4000"
    assert OPT_OUTS.items() <= environment.items()


def test_the_folder_of_the_call_cannot_replace_modules():
    assert child_environment({})["PYTHONSAFEPATH"] == "1"
