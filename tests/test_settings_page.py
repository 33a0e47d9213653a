import pytest

from nightshelf.client.settings import ReadSettings
from nightshelf.service.settings import ServiceSettings
from tasks.evaluation.gates import GATES
from tasks.settings import Settings
from tests.settings_page import PAGE, defaults, page, purposes

STEPS = [type(Settings.model_fields[step].default) for step in Settings.known()]
LIMITS = {f"{gate}_{end}" for gate in GATES for end in ("min", "max")}


def test_the_page_is_made_from_the_classes() -> None:
    assert PAGE.read_text() == page(), "run `make settings`"


@pytest.mark.parametrize("settings", [ServiceSettings, ReadSettings, *STEPS])
def test_docstrings_describe_each_setting_and_nothing_else(settings: type) -> None:
    described, fields = purposes(settings).keys(), defaults(settings).keys()
    assert fields <= described
    assert described - fields <= LIMITS
