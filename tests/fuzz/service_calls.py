"""Requests that schemathesis makes from the service's own document, and checks of their answers."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
import schemathesis
from hypothesis import given, seed
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from tests.fuzz.inputs import BODIES, HEADERS, IDS, SEGMENTS, TYPES, drawing
from tests.fuzz.ledger import Fields, Ledger

load_all_checks()
_CHECKS: list[Any] = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]
#: Whether there is a key in a request is for us to say.
CONFIG = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
#: The text of a key -> what it opens; `ServiceSettings.keys` has the digests.
API_KEYS = {"all": {"read", "track", "admin"}, **{one: {one} for one in ("read", "track", "admin")}}
_BEARERS = {f"Bearer {key}": scopes for key, scopes in API_KEYS.items()}
_AUTHORIZATIONS = st.sampled_from(
    [*["Bearer all"] * 20, *_BEARERS, None, "Bearer", "Bearer all all", "Basic all", "Bearer \xff"]
)
_SELDOM = st.sampled_from([True] + [False] * 6)
#: Such a path is another one before it is sent.
_RESOLVED = (".", "..")
_PATH_IDS = {"user_id": IDS, "item_id": IDS, "segment": SEGMENTS}


@dataclass
class Service:
    """A service's address and keys, and the answers so far."""

    base_url: str
    session: requests.Session
    keyed: bool
    ledger: Ledger
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)

    def fuzz(self, schema: Any, examples: int, number: int, *, reads_alone: bool) -> None:
        """Ask each operation `examples` times in each mode; what is drawn follows from `number`."""
        for operation in schema.get_all_operations():
            case = operation.ok()
            if reads_alone and "/track/" in case.label:
                continue
            for mode in GenerationMode:
                self._fuzz(case, mode, examples, number)

    def _fuzz(self, operation: Any, mode: GenerationMode, examples: int, number: int) -> None:
        if mode.is_negative and not (operation.query or operation.body):
            mode = GenerationMode.POSITIVE  # there is nothing to get wrong

        @seed(number)
        @drawing(examples)
        @given(operation.as_strategy(generation_mode=mode), st.data())
        def asked(case: "Case[Any]", data: st.DataObject) -> None:
            self._ask(case, data.draw)

        try:
            asked()
        except (Exception, FailureGroup) as found:
            self.findings.setdefault(operation.label, f"{type(found).__name__} {found}")

    def _ask(self, case: "Case[Any]", draw: Any) -> None:
        authorization = draw(_AUTHORIZATIONS)
        headers = draw(st.just({}) | HEADERS)
        if authorization is not None:
            headers |= {"Authorization": authorization}
        for name in case.path_parameters:
            raw = draw(st.none() | _PATH_IDS[name])
            if raw and raw not in _RESOLVED:
                case.path_parameters[name] = quote(raw, safe="", errors="surrogatepass")
        body, more = None, dict[str, Any]()
        if case.operation.body:
            if draw(_SELDOM):
                headers |= {"Content-Type": draw(TYPES)}
            if draw(_SELDOM):
                body, in_chunks = draw(BODIES), draw(st.booleans())
                headers.setdefault("Content-Type", "application/json")
                more["data"] = (part for part in (body,)) if in_chunks else body
        answer = case.call(self.base_url, self.session, headers, **more)
        self.outcomes[case.operation.label, str(answer.status_code)] += 1
        self._judge_key(case, authorization, answer.status_code)
        if answer.status_code == 202:
            sent = answer.request.body if body is None else body
            for event in _tracked(case.operation.path, sent, answer.json()["event_ids"]):
                self.ledger.took(event)
        case.validate_response(answer, _CHECKS)

    def _judge_key(self, case: "Case[Any]", authorization: str | None, status: int) -> None:
        """See that nothing opens without its key, and that a right key is never turned away."""
        path = case.operation.path
        needed = _scope(path)
        opened = _BEARERS.get(authorization or "")
        if not self.keyed or needed is None or needed in (opened or ()):
            assert status not in (401, 403), f"{status} for {authorization!r} at {path}"
        else:
            expected = 403 if opened else 401
            assert status in (expected, 413, 431), f"{status} for {authorization!r} at {path}"


def _scope(path: str) -> str | None:
    if path.startswith("/health/"):
        return None
    if path.startswith(("/metrics", "/dashboard/")):
        return "admin"
    return "track" if path.startswith("/track/") else "read"


#: Fields that an event of a tester's variant is recorded without.
_OF_EXPERIMENT = {"experiment", "variant", "phase"}


def _tracked(path: str, sent: Any, event_ids: list[str]) -> Iterator[Fields]:
    """Yield the fields of what was sent, as the stream should have them."""
    said = json.loads(sent)
    kind = path.rpartition("/")[2]
    for event, event_id in zip(said if isinstance(said, list) else [said], event_ids, strict=True):
        assert event.get("event_id") in (None, event_id)
        fields = event | {"event_id": event_id}
        fields["event_type"] = fields.pop("action", "purchase" if kind == "conversion" else kind)
        if fields.pop("forced", False):
            fields = {name: fields[name] for name in fields.keys() - _OF_EXPERIMENT}
        for name in {"value", "revenue", "latency_ms"} & fields.keys():
            number = fields.pop(name)
            called = "value" if name == "revenue" else name
            fields[called] = None if number is None else repr(float(number))
        yield fields
