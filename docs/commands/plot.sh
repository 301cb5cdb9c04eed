tapo plot outputs/tapo outputs/grpo --output figure
