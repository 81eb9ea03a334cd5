"""Can the model repeat a word? An inspect-ai task with data of its own."""

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

WORDS = ("harbour", "lantern", "meadow", "orchard", "pebble", "quarry", "ribbon", "saddle", "thistle", "willow")


@task
def copying() -> Task:
    """Ten words; an answer is right if it contains the word."""
    samples = [Sample(id=word, input=f"Repeat this word: {word}", target=word) for word in WORDS]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=includes())
