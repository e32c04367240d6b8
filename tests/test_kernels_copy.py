"""Copies with axes in another order: strides, offsets, sizes around the table, precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from tensorcalc.kernels import copy


@njit
def _run(extents, a, source, b, target):  # type: ignore[no-untyped-def]
    copy.permute(len(extents), extents, a, 3, source, b, 2, target)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((1, 1), (1, 0)),
        ((3, 5), (1, 0)),
        ((0, 4), (1, 0)),
        ((4, 0), (0, 1)),
        ((600, 3), (1, 0)),
        ((3, 700), (1, 0)),
        ((2, 3, 2, 3, 2, 3), (5, 3, 1, 0, 2, 4)),
        ((2,) * 12, (11, 0, 10, 1, 9, 2, 8, 3, 7, 4, 6, 5)),
        ((20, 30, 40), (2, 0, 1)),
    ],
)
def test_permute(shape: tuple[int, ...], axes: tuple[int, ...], dtype: Any) -> None:
    """Dense results and such with gaps; nothing else is written."""
    a = np.random.default_rng(0).normal(size=3 + int(np.prod(shape))).astype(dtype)
    a.flags.writeable = False
    view = a[3:].reshape(shape).transpose(axes)
    source = tuple([stride // a.itemsize for stride in view.strides])
    for gap in (0, 2):
        wide = np.full((*view.shape[:-1], view.shape[-1] + gap), 7, dtype)
        b = np.concatenate([np.full(2, 7, dtype), wide.reshape(-1), np.full(2, 7, dtype)])
        target = tuple([stride // b.itemsize for stride in wide.strides])
        _run(view.shape, a, source, b, target)
        found = b[2:-2].reshape(wide.shape)
        np.testing.assert_array_equal(found[..., : view.shape[-1]], view)
        assert (found[..., view.shape[-1] :] == 7).all()
        assert (b[:2] == 7).all() and (b[-2:] == 7).all()
