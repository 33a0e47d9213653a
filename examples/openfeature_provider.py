"""OpenFeature flags that are a namespace's experiments: the key an experiment, the value a model.

    >>> from openfeature import api
    >>> from openfeature.evaluation_context import EvaluationContext
    >>> api.set_provider(ShelfProvider(Shelf.from_url(os.environ["REDIS_URL"], "shop")))
    >>> flag = api.get_client().get_string_details("exp-1", "blend", EvaluationContext("u42"))
    >>> flag.variant, flag.value, flag.flag_metadata
    ('links', 'ease', {'phase': 2})

A flag records nothing: a user counts in an experiment once `Shelf.shown` says that a list was.
"""

from datetime import UTC, datetime
from typing import NoReturn

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import (
    FlagNotFoundError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from nightshelf import Shelf
from nightshelf.contract.experiment import assigned


class ShelfProvider(AbstractProvider):
    """String flags from the experiments of the live generation, at most a second old.

    The targeting key is the user id. The default value is that of users outside the experiment
    (reason DEFAULT: also those in another, before it in order), and of one that does not run
    (DISABLED). An unknown key is FLAG_NOT_FOUND, also where Redis has never answered.
    """

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata("nightshelf")

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Return the model of the user's variant in the experiment `flag_key`."""
        experiments = self._shelf.experiments()
        experiment = next((each for each in experiments if each.id == flag_key), None)
        if experiment is None:
            raise FlagNotFoundError(f"no experiment {flag_key!r} is published")
        if not (evaluation_context and evaluation_context.targeting_key):
            raise TargetingKeyMissingError("the targeting key is the user id")
        at = datetime.now(UTC)
        if not experiment.runs_at(at):
            return FlagResolutionDetails(default_value, reason=Reason.DISABLED)
        found = assigned(experiments, evaluation_context.targeting_key, at)
        if found is None or found.experiment != flag_key:
            return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)
        return FlagResolutionDetails(
            found.model,
            reason=Reason.SPLIT,
            variant=found.variant,
            flag_metadata={"phase": found.phase},
        )

    def resolve_boolean_details(self, flag_key: str, **_: object) -> NoReturn:
        """Raise `TypeMismatchError`, as for numbers and objects: a model's name is a string."""
        raise TypeMismatchError(f"{flag_key}: its value is the name of a model, a string")

    resolve_integer_details = resolve_boolean_details
    resolve_float_details = resolve_boolean_details
    resolve_object_details = resolve_boolean_details
