"""One run's settings as torchtune trains with them: those that every tool has, and the recipe."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.tools.finetuning.setup import Setup, SetupKey

__all__ = ["TorchtuneSetup"]


@dataclass(frozen=True)
class TorchtuneSetup(Setup):
    """Values by key of :data:`tunebook.tools.torchtune.parameters.SETUP_PARAMETERS`."""

    save_adapter_weights_only = SetupKey(bool)
    stash_adapter_weights = SetupKey(bool)

    @property
    def custom_recipe(self) -> str:
        """The module of a person's own that trains; empty for torchtune's recipe."""
        return str(self.values["custom_recipe"] or "")

    @property
    def recipe(self) -> str:
        """The recipe that follows from the settings: a person's own, otherwise torchtune's."""
        return self.custom_recipe or super().recipe

    @property
    def save(self) -> str | None:
        """The form of checkpoints: torchtune's own key decides it."""
        if self.lora_rank is None:
            return None
        return "adapter" if self.save_adapter_weights_only else "merged"
