"""TransferQueue's batch calls on a dictionary in memory, and rows in it as verl's rollout workers store them."""

import torch
import transfer_queue
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta

from recipe_tapo.engine import rows

PROMPT = [11, 12]


def stacked(values):
    """One field of several rows, in the form in which TransferQueue hands it out."""
    if not isinstance(values[0], torch.Tensor):
        return NonTensorStack(*values)
    if values[0].dim() == 0:
        return torch.stack(values)
    return torch.nested.as_nested_tensor(list(values), layout=torch.jagged)


class MemoryQueue:
    """Rows and tags by key; ``install`` puts it in TransferQueue's place for verl's trainer and ours."""

    def __init__(self):
        self.rows, self.tags = {}, {}

    def install(self, monkeypatch):
        for name in ("kv_batch_get", "kv_batch_put", "kv_list", "kv_clear"):
            monkeypatch.setattr(transfer_queue, name, getattr(self, name), raising=True)
        return self

    def kv_batch_get(self, keys, partition_id, select_fields=None):
        known = self.rows[keys[0]]
        names = [name for name in select_fields or known if any(name in self.rows[key] for key in keys)]
        return TensorDict(
            {name: stacked([self.rows[key][name] for key in keys]) for name in names}, batch_size=[len(keys)]
        )

    def kv_batch_put(self, keys, partition_id, fields=None, tags=None):
        names = [] if fields is None else list(fields.keys())
        for i, key in enumerate(keys):
            row = self.rows.setdefault(key, {})
            for name in names:
                value = fields[name]
                row[name] = value.unbind()[i] if isinstance(value, torch.Tensor) else list(value)[i]
            self.tags.setdefault(key, {}).update(tags[i] if tags else {})
        batch = self.batch(keys)
        # The fields of a batch are those that all of its rows have.
        batch.fields = [name for name in self.rows[keys[0]] if all(name in self.rows[key] for key in keys)]
        return batch

    def kv_list(self, partition_id=rows.TRAIN_PARTITION):
        return {partition_id: {key: dict(tag) for key, tag in self.tags.items()}}

    def kv_clear(self, keys, partition_id):
        for key in keys:
            self.rows.pop(key, None)
            self.tags.pop(key, None)

    def add_prompt(self, uid, step, status="finished"):
        """A question as verl's asynchronous trainers register it, of the step that handed it out."""
        self.rows[uid] = {rows.UID: uid, "raw_prompt": uid}
        self.tags[uid] = {"is_prompt": True, "status": status, "global_steps": step}

    def batch(self, keys=None):
        """What verl's replay buffer hands to the trainer, in the order of storing."""
        keys = list(self.rows if keys is None else keys)
        tags = [self.tags[key] for key in keys]
        return KVBatchMeta(keys=keys, tags=tags, partition_id=rows.TRAIN_PARTITION, extra_info={})

    def add(self, key, length, reward, constructed=False, masked=(), prefix=2):
        """One row as verl stores it, of so many response tokens.

        Args:
            key: ``<uid>_<session>_<output>``.
            length: Response tokens.
            reward: Of the whole row.
            constructed: Whether it belongs to G_ref.
            masked: Response tokens that are not trained on.
            prefix: Leading tokens that a constructed row shares with y⁻.
        """
        uid = rows.uid_of_key(key)
        responses = torch.arange(length) + 20 + len(self.rows)
        mask = torch.tensor([int(t not in masked) for t in range(length)])
        scores = torch.zeros(length)
        scores[-1] = reward
        input_ids = torch.cat([torch.tensor(PROMPT), responses])
        self.rows[key] = {
            rows.UID: rows.reflected_uid(uid) if constructed else uid,
            "prompts": torch.tensor(PROMPT),
            rows.RESPONSES: responses,
            "input_ids": input_ids,
            "position_ids": torch.arange(len(input_ids)),
            rows.RESPONSE_MASK: mask,
            rows.LOSS_MASK: mask.clone(),
            rows.SCORES: scores,
            "rollout_log_probs": torch.zeros(length) if constructed else log_probs(input_ids)[-length - 1 : -1] - 0.1,
            "num_turns": 2,
        }
        steps = {"global_steps": 1, "min_global_steps": 0, "max_global_steps": 0}
        self.tags[key] = {"seq_len": len(input_ids), "prompt_len": len(PROMPT), "response_len": length, **steps}
        if constructed:
            self.tags[key] |= {rows.UID_TAG: rows.reflected_uid(uid), rows.PREFIX_LENGTH_TAG: prefix}


def log_probs(input_ids):
    """A policy's log-probability of each token's successor: any numbers that depend on the token alone."""
    return -0.1 - (input_ids % 7) / 10.0


class MemoryWorkers:
    """verl's worker group on the queue: log-probabilities, those of the reference, and the batches it trains on."""

    def __init__(self, queue, ranks=1):
        self.queue = queue
        self._dispatch_info = {"actor": list(range(ranks))}
        self.trained = []

    def compute_log_prob(self, batch, shift=0.0):
        for key in batch.keys:
            row = self.queue.rows[key]
            row["log_probs"] = log_probs(row["input_ids"]) + shift
            if batch.extra_info["calculate_entropy"]:
                row["entropy"] = 0.2 + (row["input_ids"] % 5) / 10.0
        return batch

    def compute_ref_log_prob(self, batch):
        return self.compute_log_prob(batch, shift=-0.25)

    def update_actor(self, batch):
        self.trained.append(batch)
        return {"metrics": {"loss": [0.0], "mfu": [0.0]}}
