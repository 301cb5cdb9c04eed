"""One arm on verl's real engine, as a user would start it."""

from collections.abc import Callable
from pathlib import Path

from examples.cpu_demo.regime import REGIMES
from examples.runs.command import training_command
from examples.runs.process import run_training
from examples.study.plan import StudyRun
from examples.study.settings import Settings


def arm_command(run: StudyRun, settings: Settings, model: Path, questions: Path, folder: Path) -> list[str]:
    """The command of an ``engine`` arm.

    Seeded are the order of the questions, vLLM's sampling, the mini-batches and TAPO's selection. Runs are not
    bitwise repeatable: vLLM draws from one generator in the order in which requests happen to be batched.
    """
    regime = REGIMES[settings.regime]
    seed = run.rl_seed
    return [
        *training_command(model, questions, folder, settings.steps, settings.test_freq),
        f"+arm={run.arm.config}",
        f"actor_rollout_ref.rollout.n={settings.rollouts}",
        f"actor_rollout_ref.rollout.seed={seed}",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={settings.batch}",
        f"actor_rollout_ref.actor.optim.lr={settings.learning_rate}",
        f"actor_rollout_ref.actor.data_loader_seed={seed}",
        "actor_rollout_ref.actor.checkpoint.save_contents=[hf_model]",
        f"data.train_batch_size={settings.batch}",
        f"data.max_prompt_length={regime.max_prompt_length}",
        f"data.max_response_length={regime.max_response_length}",
        f"data.seed={seed}",
        f"tapo.seed={seed}",
        f"tapo.synthesis.max_tokens={regime.max_synthesis_tokens}",
        f"trainer.save_freq={settings.steps}",
        "trainer.project_name=study",
        f"trainer.experiment_name={folder.name}",
        # As the cold starts teach them, for the arms that continue.
        "tapo.synthesis.locate=judge",
        "tapo.synthesis.transition=own",
        # The rollouts' temperature.
        "tapo.synthesis.temperature=1.0",
        "tapo.synthesis.tries=1",
        *run.arm.overrides,
    ]


def train(
    run: StudyRun, settings: Settings, model: Path, questions: Path, folder: Path, watch: Callable[[], None]
) -> None:
    """Trains the arm; leaves metrics, dump, log and the final model. Raises TrainingFailed."""
    run_training(arm_command(run, settings, model, questions, folder), folder, watch)


def trained_model(settings: Settings, folder: Path) -> Path:
    """Where verl leaves the final model."""
    return folder / "checkpoints" / f"global_step_{settings.steps}" / "actor" / "huggingface"
