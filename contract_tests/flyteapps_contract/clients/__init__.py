"""The client guarantees: what a client of AppService owes its callers, checked against a plane with faults.

Rules of this package: a client is known by its adapter alone (`adapter.py`); the plane is a scripted
one (`scripted/`), neither the oracle nor the stand-in; checks (`checks/clients/`) know a context, nothing of pytest.
"""
