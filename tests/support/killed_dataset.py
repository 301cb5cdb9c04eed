"""The cold start's dataset, in a process that ends by SIGKILL when it loads a given row."""

import os
import signal

from recipe_tapo.engine.sft_dataset import RolloutFormatSFTDataset


class KilledAtRow(RolloutFormatSFTDataset):
    """Counts the rows that this process loads; ``KILLED_AT_ROW`` of them, from 0, are loaded."""

    loaded = 0

    def __getitem__(self, item):
        if self.loaded == int(os.environ["KILLED_AT_ROW"]):
            os.kill(os.getpid(), signal.SIGKILL)
        self.loaded += 1
        return super().__getitem__(item)
