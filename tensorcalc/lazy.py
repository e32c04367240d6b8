"""Attributes that are computed when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Lazy(Generic[T]):
    """`functools.cached_property` as Python 3.12 and later have it: without a lock.

    The lock of older versions is one for all instances. A process that is forked while another
    thread holds it waits for it for ever. Two threads may compute the same value; either is right.

    Examples
    --------
    >>> class Circle:
    ...     @Lazy
    ...     def area(self):
    ...         print("computed")
    ...         return 3.14
    >>> circle = Circle()
    >>> circle.area, circle.area
    computed
    (3.14, 3.14)
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Lazy[T] | T:
        """The value; from the second time on the instance's own attribute, which comes first."""
        if instance is None:
            return self
        value = self.compute(instance)
        return vars(instance).setdefault(self.name, value)  # type: ignore[no-any-return]
