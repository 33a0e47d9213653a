"""Column names of our tables, and the lookup of values in a column."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: The log, the catalogue and the users file (`tasks/ingest/contract.py`).
USER_ID = "user_id"
ITEM_ID = "item_id"
EVENT_TYPE = "event_type"
TS = "ts"
VALUE = "value"
EVENT_ID = "event_id"
ARRIVED_AT = "arrived_at"
SESSION_ID = "session_id"
CATEGORY = "category"
TITLE = "title"
PRICE = "price"
AVAILABLE = "available"
CREATED_AT = "created_at"
TAGS = "tags"
IMAGE_URL = "image_url"
SEGMENT = "segment"

#: Ids of the rows or columns of a matrix, in order.
ID = "id"


def positions_of(values: pa.Array, among: pa.Array) -> npt.NDArray[np.int32]:
    """Return the position of each value in `among`, -1 where it is not there."""
    positions = pc.fill_null(pc.index_in(values, value_set=among), -1)
    return np.array(positions, np.int32)
