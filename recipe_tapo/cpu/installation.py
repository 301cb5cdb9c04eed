"""What verl needs in a process that runs on the CPU: the platform, a valid process group, an answer for ``vllm``."""

from recipe_tapo.cpu.process_group import use_gloo_alone
from recipe_tapo.cpu.vllm_alias import answer_for_vllm


def install() -> None:
    """Makes the platform known to verl and mends the other two; chooses nothing. A second call changes nothing."""
    answer_for_vllm()
    use_gloo_alone()
    # Registers the platform; imported here because that may be the import that brought us here.
    import recipe_tapo.cpu.platform  # noqa: F401
