"""The control API of a stand-in, `flyteapps.control.v1`: its messages, and the rules for faults as plain data.

A leaf: the stand-in, the client's `flyteapps.testing` and the contract suite match faults by the same code. Nothing
here knows a plane or a client, and `remote` alone knows a wire.
"""
