"""Names under which verl finds TAPO's parts, and by which a process knows that it belongs to a TAPO run."""

TRAINER_MODE = "tapo"
ESTIMATOR = "tapo"
LOSS_MODE = "tapo"
RUN_VARIABLE = "RECIPE_TAPO"  # tells a process that it belongs to a TAPO run; see recipe_tapo.plugin
MANAGER = "recipe_tapo.engine.agent_loop.TapoAgentLoopManager"
