"""The assignment problem: the one-to-one alignment of largest total similarity."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def best_assignment(similarity: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """Align rows and columns one to one so that the sum of their similarities is as large as possible.

    Written out because scipy is no dependency of isnad. Pairs that are not in `similarity` count 0, so each
    connected group of rows and columns is solved for itself; in coreference these groups are tiny.

    Args:
        similarity: positive similarity by (row, column).

    Returns:
        The aligned pairs that are in `similarity`, sorted.
    """
    pairs = []
    for rows, columns in _components(similarity):
        matrix = np.array([[similarity.get((r, c), 0.0) for c in columns] for r in rows])
        if len(rows) > len(columns):
            found = [(rows[i], columns[j]) for j, i in enumerate(_hungarian(-matrix.T))]
        else:
            found = [(rows[i], columns[j]) for i, j in enumerate(_hungarian(-matrix))]
        pairs += [pair for pair in found if pair in similarity]
    return sorted(pairs)


def _components(similarity: Mapping[tuple[int, int], float]) -> list[tuple[list[int], list[int]]]:
    """Group rows and columns that are connected by pairs."""
    columns_of: dict[int, list[int]] = {}
    rows_of: dict[int, list[int]] = {}
    for row, column in similarity:
        columns_of.setdefault(row, []).append(column)
        rows_of.setdefault(column, []).append(row)
    components = []
    while columns_of:
        rows, columns, waiting = set(), set(), [next(iter(columns_of))]
        while waiting:
            row = waiting.pop()
            rows.add(row)
            for column in columns_of.pop(row, ()):
                columns.add(column)
                waiting += rows_of.pop(column, ())
        components.append((sorted(rows), sorted(columns)))
    return components


def _hungarian(cost: NDArray[np.float64]) -> list[int]:
    """Return the column of every row in an assignment of least cost.

    The Hungarian method with row and column potentials and shortest augmenting paths (Jonker & Volgenant,
    Computing 38, 1987), O(rows² columns).

    Args:
        cost: [n, m] with n <= m.
    """
    n, m = cost.shape
    row_potential, column_potential = np.zeros(n + 1), np.zeros(m + 1)
    # Row and column 0 are a helper from which every path starts; real ones count from 1.
    row_of, previous = np.zeros(m + 1, dtype=int), np.zeros(m + 1, dtype=int)
    for row in range(1, n + 1):
        row_of[0], column = row, 0
        distance, visited = np.full(m + 1, np.inf), np.zeros(m + 1, dtype=bool)
        while row_of[column]:
            visited[column] = True
            at = row_of[column]
            reduced = cost[at - 1] - row_potential[at] - column_potential[1:]
            closer = ~visited[1:] & (reduced < distance[1:])
            distance[1:][closer] = reduced[closer]
            previous[1:][closer] = column
            nearest = int(np.argmin(np.where(visited[1:], np.inf, distance[1:]))) + 1
            step = distance[nearest]
            row_potential[row_of[visited]] += step
            column_potential[visited] -= step
            distance[1:][~visited[1:]] -= step
            column = nearest
        while column:
            row_of[column] = row_of[previous[column]]
            column = int(previous[column])
    columns = {int(row_of[j]): j - 1 for j in range(1, m + 1) if row_of[j]}
    return [columns[i] for i in range(1, n + 1)]
