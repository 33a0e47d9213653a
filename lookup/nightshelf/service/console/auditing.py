"""Audit line of an action: by the person of its request, in this namespace."""

from fastapi import Request

from nightshelf.admin import audit
from nightshelf.service.console.pages import visitor_of
from nightshelf.service.console.state import console_of


def note(request: Request, action: str, what: str, outcome: str) -> tuple[str, ...]:
    """Write the line, and return what could not be written (`nightshelf.admin.audit.record`)."""
    console = console_of(request)
    return audit.record(
        console.client,
        console.namespace,
        who=visitor_of(request).name,
        action=action,
        what=what,
        outcome=outcome,
        runs=console.runs,
    )
