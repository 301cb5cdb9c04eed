"""Names under which verl finds TAPO's parts, and by which a process knows that it belongs to a TAPO run."""

TRAINER_MODE = "tapo"
COLOCATE_ASYNC = "tapo_colocate_async"
SEPARATE_ASYNC = "tapo_separate_async"
# Ours and the mode of verl's that each stands on, by which verl's classes ask.
TRAINER_MODES = {TRAINER_MODE: "sync", COLOCATE_ASYNC: "colocate_async", SEPARATE_ASYNC: "separate_async"}
ESTIMATOR = "tapo"
LOSS_MODE = "tapo"
# verl's losses that multiply TAPO's factor into each token's term and divide as `loss_agg_mode` says.
LOSSES_OF_VERL = ("vanilla", "dppo_tv", "dppo_kl", "gspo", "gpg", "clip_cov", "kl_cov", "dro", "cispo")
RUN_VARIABLE = "RECIPE_TAPO"  # tells a process that it belongs to a TAPO run; see recipe_tapo.plugin
MANAGER = "recipe_tapo.engine.agent_loop.TapoAgentLoopManager"
