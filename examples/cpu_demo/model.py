"""A Qwen3 model of about half a million parameters, which vLLM and verl load as they load the real one."""

from transformers import GenerationConfig, PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from examples.cpu_demo.tokenizer import MAX_LENGTH


def build_config(tokenizer: PreTrainedTokenizerBase) -> Qwen3Config:
    """The demo model's architecture, for a tokenizer's vocabulary."""
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        tie_word_embeddings=True,
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",  # pyright: ignore[reportCallIssue]  # taken by the base class
        dtype="float32",
    )


def build_model(tokenizer: PreTrainedTokenizerBase) -> Qwen3ForCausalLM:
    """A freshly initialised float32 model; seed torch before calling."""
    model = Qwen3ForCausalLM(build_config(tokenizer)).float()
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True
    )
    return model
