"""What a function given to `on_stop_soon` is, whether it can be called, and what it gave back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_autostop.label import shortened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_EXAMPLE = "write on_stop_soon(save, before='10m')."


class NotRunError(Exception):
    """A call has not done what it was to do."""


def name_of(callback: Callable[[], object]) -> str:
    """Return the name to call it by."""
    inner = getattr(callback, "func", callback)  # of functools.partial
    return shortened(str(getattr(inner, "__qualname__", None) or type(callback).__name__))


def identity_of(callback: Callable[[], object]) -> Hashable:
    """Return what is equal for the same function, also after its cell was run again.

    A function is known by its module and name. Lambdas, functions made in functions and other objects, which may share
    a name, are each themselves only; so is a method of each object.
    """
    owner = getattr(callback, "__self__", None)
    name = getattr(callback, "__qualname__", "")
    if owner is not None:
        return id(owner), name
    if not name or "<" in name:
        return id(callback)
    return getattr(callback, "__module__", None), name


def check(callback: Any) -> None:
    """Raise `TypeError` unless a call without arguments can do something."""
    import inspect  # noqa: PLC0415 - takes a while to load

    if inspect.isawaitable(callback) or inspect.isgenerator(callback):
        raise TypeError(f"What on_stop_soon is to call is called already; leave the brackets away, {_EXAMPLE}")
    if not callable(callback):
        raise TypeError(f"What on_stop_soon is to call is no function; {_EXAMPLE}")
    name = name_of(callback)
    # Of an object it is its class that says what a call is.
    called = callback if hasattr(callback, "__name__") or hasattr(callback, "func") else type(callback).__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(
            f"A call of {name} runs nothing, since it is a generator function (it has a `yield`). "
            f"Give a function that does the work, or on_stop_soon(lambda: list({name}()))."
        )
    inner = getattr(callback, "func", None)
    if _has_signature(callback):
        try:
            inspect.signature(callback).bind()
        except TypeError as error:
            raise _misfit(name, f"{error}") from None
    elif inner is not None and _has_signature(inner):
        raise _misfit(name, "what the partial gives it does not fit")


def _misfit(name: str, why: str) -> TypeError:
    return TypeError(f"on_stop_soon calls {name} without arguments: {why}. Write on_stop_soon(lambda: {name}(…)).")


def _has_signature(callback: Callable[..., object]) -> bool:
    """Tell whether its arguments are known, which of what is written in C they may not be."""
    import inspect  # noqa: PLC0415 - as above

    try:
        inspect.signature(callback)
    except (ValueError, TypeError):
        return False
    return True


def run(callback: Callable[[], object]) -> None:
    """Call it, and where that gives something to await, wait for that in an event loop of this thread."""
    import inspect  # noqa: PLC0415 - as above

    given = callback()
    if inspect.isawaitable(given):
        import asyncio  # noqa: PLC0415 - for those who use it

        try:
            asyncio.run(_wait(given))
        except asyncio.CancelledError:
            raise NotRunError("it was cancelled before its end") from None
    elif inspect.isgenerator(given) or inspect.isasyncgen(given):
        raise NotRunError("it has returned a generator, of which nothing runs")


async def _wait(given: Awaitable[object]) -> None:
    await given
