"""The parts, a module each; ``PART`` in each of them is found by :func:`stress.part.all_parts`."""
