"""Save and load factors and matrices."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.io.parquet import write_table

Factors = npt.NDArray[np.float32]


def load_matrix(path: Path) -> sp.csr_matrix:
    """Load a CSR matrix that `save_matrix` wrote."""
    with path.open("rb") as stream:  # numpy leaves a file open that turns out to be damaged
        return sp.csr_matrix(sp.load_npz(stream))


def save_matrix(path: Path, matrix: sp.csr_matrix) -> Path:
    """Write a CSR matrix: equal ones as equal bytes."""
    sp.save_npz(path, matrix, compressed=False)  # numpy dates every entry 1980
    return path


def load_factors(path: Path) -> tuple[pa.StringArray, Factors]:
    """Load ids (n) and factors (n x k, C order)."""
    table = pq.read_table(path).combine_chunks()
    column = table.column("factors").chunk(0)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return table.column("id").chunk(0), flat.reshape(-1, column.type.list_size)


def save_factors(path: Path, ids: pa.StringArray, factors: Factors) -> None:
    """Write factors (n x k) beside their ids (n)."""
    flat = pa.array(np.ascontiguousarray(factors).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, factors.shape[1])
    write_table(path, pa.table({"id": ids, "factors": column}))
