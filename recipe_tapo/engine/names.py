"""Names under which verl finds TAPO's parts, and by which a process knows that it belongs to a TAPO run."""

TRAINER_MODE = "tapo"
COLOCATE_ASYNC = "tapo_colocate_async"
SEPARATE_ASYNC = "tapo_separate_async"
# Ours and the mode of verl's that each stands on, by which verl's classes ask.
TRAINER_MODES = {TRAINER_MODE: "sync", COLOCATE_ASYNC: "colocate_async", SEPARATE_ASYNC: "separate_async"}
ESTIMATOR = "tapo"
LOSS_MODE = "tapo"
RUN_VARIABLE = "RECIPE_TAPO"  # tells a process that it belongs to a TAPO run; see recipe_tapo.plugin
MANAGER = "recipe_tapo.engine.agent_loop.TapoAgentLoopManager"
