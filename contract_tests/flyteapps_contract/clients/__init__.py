"""The client laws: what a client of AppService owes its callers, checked against a plane that misbehaves on cue.

Rules of this package: a client is known by its adapter alone (`adapter.py`); the plane is a stage of its own
(`stage/`), neither the oracle nor the stand-in; checks (`checks/`) know a scene and nothing of pytest.
"""
