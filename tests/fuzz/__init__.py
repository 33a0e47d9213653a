"""Requests and calls that nobody would make, and what must hold whatever is sent.

``python -m tests.fuzz`` (`make fuzz`) makes 100,000 of them: schemathesis asks a running service
whatever its OpenAPI document allows and forbids, Hypothesis calls `Shelf` and `AsyncShelf`. It is
beside the tests, since it asks for truth and not for speed, and no test itself, since it takes
longer than all of them; `tests/lookup/service/test_fuzz.py` makes some hundreds.
"""
