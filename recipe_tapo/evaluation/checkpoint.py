"""verl's checkpoint folders as models: merged by verl's own merger, once, into a folder beside the shards."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from recipe_tapo.errors import InputError
from recipe_tapo.records.digest import short_digest

MERGED = "merged"
_TRACKER = "latest_checkpointed_iteration.txt"
_SOURCE = "merged_from.json"
_LOG_LINES = 3
_LORA_REMEDY = (
    "and the base model would answer; merge it with peft's merge_and_unload, or serve it (vllm serve --enable-lora) "
    "and use --base_url"
)


def resolve_model(model: str, cache_dir: Path | None = None) -> str:
    """Returns what vLLM can load for a model.

    Args:
        model: A Hugging Face folder or name, which is returned as it is; or verl's ``global_step_N``, or its ``actor``;
            or the folder of a run's checkpoints, for the last one.
        cache_dir: Where merged checkpoints are kept; None for ``merged`` inside the checkpoint.

    Raises:
        InputError: There is no such folder, it holds no model, or it cannot be merged.
    """
    path = Path(model).expanduser()
    if not path.is_dir():
        # "owner/name" is a model of the hub unless it is written like a path, or the owner is a folder here.
        if path.exists() or model.startswith((".", "/", "~")) or model.count("/") != 1 or path.parent.is_dir():
            raise InputError(f"{model}: {'not a folder' if path.exists() else 'no such folder'}")
        return model
    if (path / "lora_adapter").is_dir():
        raise InputError(f"{model}: verl's merger left the adapter in {path / 'lora_adapter'}, {_LORA_REMEDY}")
    if (path / "config.json").is_file():
        return str(path)
    path = _last_of(path)
    actor = next((folder for folder in (path, path / "actor") if (folder / "fsdp_config.json").is_file()), None)
    if actor is None:
        raise InputError(
            f"{model}: neither a Hugging Face model (config.json) nor a checkpoint of verl's FSDP engine "
            "(fsdp_config.json in it or in actor/); name a folder global_step_N, or the run's folder of checkpoints"
        )
    if any((actor / "huggingface").glob("*.safetensors")):
        return str(actor / "huggingface")
    target = actor / MERGED if cache_dir is None else cache_dir.expanduser() / _cache_name(actor)
    return str(_merge(actor, target))


def _last_of(path: Path) -> Path:
    """The checkpoint that verl names as a run's last, where the folder is that of a run's checkpoints."""
    tracker = path / _TRACKER
    if not tracker.is_file():
        return path
    last = path / f"global_step_{tracker.read_text(encoding='utf-8', errors='replace').strip()}"
    if not last.is_dir():
        raise InputError(f"{tracker}: names {last.name}, which is not there; name a folder global_step_N")
    return last


def _cache_name(actor: Path) -> str:
    """The absolute path in one word, and a digest, for other paths make the same word (``a_b/c`` and ``a/b_c``)."""
    path = actor.resolve()
    return f"{'_'.join(path.parts[1:])}_{short_digest(os.fsencode(path))}"


def _merge(actor: Path, target: Path) -> Path:
    source = _describe(actor)
    if _is_current(target, source):
        return target
    if target.exists() and not (target / _SOURCE).is_file():
        raise InputError(f"{target}: was not made by this command; name it as the model, or move it away")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    print(f"merging {actor} into {target}", file=sys.stderr, flush=True)
    try:
        _run_merger(actor, temporary)
        (temporary / _SOURCE).write_text(json.dumps(source), encoding="utf-8")
        if not _is_current(target, source):
            _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _describe(actor: Path) -> dict[str, list[int]]:
    """Size and time of each weight shard: a checkpoint written anew is merged anew."""
    shards = sorted(actor.glob("model_world_size_*_rank_*.pt"))
    if not shards:
        raise InputError(f"{actor}: no model_world_size_*_rank_*.pt; the checkpoint was saved without the model")
    return {shard.name: [shard.stat().st_size, shard.stat().st_mtime_ns] for shard in shards}


def _is_current(target: Path, source: dict[str, list[int]]) -> bool:
    try:
        return json.loads((target / _SOURCE).read_text(encoding="utf-8")) == source
    except (OSError, ValueError):
        return False


def _run_merger(actor: Path, target: Path) -> None:
    command = [sys.executable, "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
    command += ["--local_dir", str(actor), "--target_dir", str(target)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.strip()][-_LOG_LINES:]
        raise InputError(f"{actor}: verl cannot merge it: {' | '.join(lines)}")
    if (target / "lora_adapter").is_dir():
        raise InputError(
            f"{actor}: is a LoRA checkpoint, whose adapter verl's merger leaves out of the weights, {_LORA_REMEDY}"
        )


def _swap(temporary: Path, target: Path) -> None:
    outdated = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, outdated)
    try:
        os.replace(temporary, target)
    finally:
        shutil.rmtree(outdated, ignore_errors=True)
