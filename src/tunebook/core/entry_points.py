"""The entry points of a group, also where the metadata of an installed package are damaged."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distributions, entry_points

__all__ = ["damaged_packages", "group_of", "package_of"]


def group_of(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group; a package whose metadata cannot be read has none."""
    try:
        return tuple(entry_points(group=group))
    except Exception:  # noqa: BLE001  the files of other packages, which the library does not check
        return tuple(_looked_at(group)[0].values())


def damaged_packages(group: str) -> dict[str, str]:
    """Path to the reason why a package's entry points cannot be read; nearly always empty."""
    try:
        entry_points(group=group)
    except Exception:  # noqa: BLE001
        return _looked_at(group)[1]
    return {}


def package_of(point: EntryPoint) -> str:
    """The name of the installed package that an entry point belongs to."""
    return point.dist.name if point.dist else "unknown"


def _looked_at(group: str) -> tuple[dict[str, EntryPoint], dict[str, str]]:
    """Asks each package by itself; the first on the path counts."""
    found: dict[str, EntryPoint] = {}
    damaged: dict[str, str] = {}
    for package in distributions():
        try:
            points = package.entry_points.select(group=group)
        except Exception as error:  # noqa: BLE001
            damaged[str(getattr(package, "_path", "unknown"))] = f"{type(error).__name__}: {error}"
            continue
        for point in points:
            found.setdefault(point.name, point)
    return found, damaged
