"""Connected components of a graph. Here nodes are faces and edges join duplicates, so a component is one picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def components(n: int, i: NDArray[Any], j: NDArray[Any]) -> NDArray[np.int64]:
    """The component [n] of each of n nodes under the edges (i, j), named by its lowest node."""
    graph = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    _, lowest, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(lowest[inverse], np.int64)
