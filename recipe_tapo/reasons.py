"""What became of an attempt: the names behind ``tapo/rejected/<reason>`` and ``tapo/recovered/<how>``."""

from enum import Enum


class RejectReason(str, Enum):
    """Why a construction attempt gave no training row; each is a metric ``tapo/rejected/<value>``."""

    NOT_SINGLE_TURN = "not_single_turn"
    MULTI_MODAL = "multi_modal"
    GRADED_BY_AGENT_LOOP = "graded_by_agent_loop"
    SPECIAL_TOKENS = "special_tokens"
    DOES_NOT_FIT = "does_not_fit"
    REQUEST_FAILED = "request_failed"
    TIMED_OUT = "timed_out"
    EMPTY_OUTPUT = "empty_output"
    TRUNCATED = "truncated"
    MISSING_TAG = "missing_tag"
    UNCLOSED_TAG = "unclosed_tag"
    REPEATED_TAG = "repeated_tag"
    NESTED_TAG = "nested_tag"
    EMPTY_RECONSTRUCTION = "empty_reconstruction"
    NO_FINAL_ANSWER = "no_final_answer"
    NOT_TOKENIZABLE = "not_tokenizable"
    PREFIX_TOO_SHORT = "prefix_too_short"
    LOCATE_FAILED = "locate_failed"
    NO_CLEAN_CUT = "no_clean_cut"
    TEMPLATE_ECHO = "template_echo"
    LEAK = "leak"
    ANSWER_FIRST = "answer_first"
    ANSWER_UNFOUNDED = "answer_unfounded"
    TOO_LITTLE_NEW = "too_little_new"
    TOO_LONG = "too_long"
    REWARD_FAILED = "reward_failed"
    NEGATIVE_DROPPED = "negative_dropped"
    INTERNAL_ERROR = "internal_error"


class Recovery(str, Enum):
    """How an output that broke the format was still read; each is a metric ``tapo/recovered/<value>``."""

    MISSING_CLOSING_TAG = "missing_closing_tag"
    ANSWER_BEHIND_TAG = "answer_behind_tag"
    HEADINGS = "headings"


class Rejected(Exception):
    """Ends one attempt with its reason."""

    def __init__(self, reason: RejectReason):
        super().__init__(reason.value)
        self.reason = reason
